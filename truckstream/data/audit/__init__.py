"""Prove that a store holds each record exactly once: `audit`, the library behind `truckstream verify`."""

from truckstream.data.audit.auditor import audit as audit
from truckstream.data.audit.findings import AuditFinding as AuditFinding
from truckstream.data.audit.report import AuditReport as AuditReport

__all__ = ["AuditFinding", "AuditReport", "audit"]
