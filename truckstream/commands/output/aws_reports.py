"""Formats the results of the commands on AWS as plain text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from truckstream.cloud.deployment.cloudformation.stack import Change, Plan, StackEvent
    from truckstream.cloud.deployment.destroy import Destruction
    from truckstream.cloud.package.archive import Archive
    from truckstream.cloud.watch.doctor import Diagnosis
    from truckstream.cloud.watch.figures import Figures
    from truckstream.cloud.watch.scaling import Scaling
    from truckstream.cloud.watch.status_page import Status

__all__ = [
    "format_destruction",
    "format_diagnosis",
    "format_event",
    "format_outputs",
    "format_package",
    "format_plan",
    "format_scaling",
    "format_status",
    "format_table",
]

_SIGNS: Final = {"add": "+", "modify": "~", "replace": "!", "remove": "-"}


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """Align rows in columns; the columns in `right` are aligned to the right."""
    lines = [head, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    to_the_right = set(right)

    def aligned(line: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if at in to_the_right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    return "\n".join(aligned(line) for line in lines)


def format_package(archive: Archive, path: Path | None) -> str:
    """Format the contents of the function's zip and its path (None if it was not written)."""
    rows = [
        (part.name, part.version or "", f"{part.files:,}", f"{part.bytes:,}", f"{part.zipped_bytes:,}")
        for part in archive.parts
    ]
    total = (
        "",
        "",
        f"{sum(part.files for part in archive.parts):,}",
        f"{archive.unpacked_size:,}",
        f"{archive.size:,}",
    )
    contents = format_table(("package", "version", "files", "bytes", "zipped"), [*rows, total], right=(2, 3, 4))
    where = "nothing was written" if path is None else str(path)
    bytecode = (
        f"The bytecode is from Python {archive.bytecode}."
        if archive.bytecode
        else "There is no bytecode: this machine has no Python of the function's version. Cold starts take longer."
    )
    return (
        f"{contents}\n\n{bytecode}\n"
        f"{where}: {archive.size / 1e6:.2f} MB, contents {archive.digest[:16]}, sha256 {archive.sha256}"
    )


# --- Deployments ------------------------------------------------------------------------------------


def format_plan(plan: Plan) -> str:
    """Format a plan like a diff: + for creation, ~ for change, ! for replacement, - for removal."""
    if plan.empty:
        return "\n".join([f"Stack {plan.stack}: nothing to change.", *plan.notes])
    lines = [f"Stack {plan.stack} would be {plan.kind}d:"]
    lines += [_change_line(change) for change in plan.changes]
    if plan.parameters:
        lines.append("Parameters:")
        lines += [
            f"  {row.name}: {row.after}" if row.before is None else f"  {row.name}: {row.before} -> {row.after}"
            for row in plan.parameters
        ]
    if plan.left_out:
        lines.append(f"Left out: {', '.join(plan.left_out)}")
    lines += plan.notes
    return "\n".join(lines)


def _change_line(change: Change) -> str:
    properties = f" ({', '.join(change.properties)})" if change.properties else ""
    warning = f"  <- {change.warning}" if change.warning else ""
    return f"  {_SIGNS[change.action]} {change.name}  {change.kind}{properties}{warning}"


def format_event(event: StackEvent) -> str:
    """Format one event of a stack."""
    reason = f": {event.reason}" if event.reason else ""
    return f"{event.time:%H:%M:%S}  {event.status:<28}{event.name}{reason}"


def format_outputs(outputs: Mapping[str, str]) -> str:
    """Format the outputs of the stack, one per line."""
    return format_table(("output", "value"), sorted(outputs.items()))


# --- Status -----------------------------------------------------------------------------------------


def format_status(status: Status) -> str:
    """Format the status as one page."""
    return "\n\n".join("\n".join(paragraph) for paragraph in _status_paragraphs(status) if paragraph)


def _status_paragraphs(status: Status) -> Iterator[list[str]]:
    yield [
        f"stack     {status.name} in {status.region}: {status.stack or 'none'}",
        f"stream    {_facts(status.stream)}",
        f"mapping   {_facts(status.mapping)}",
        f"function  {_facts(status.function)}",
        f"bucket    {status.bucket or 'none'}",
    ]
    if status.problems:
        yield ["Problems:", *(f"  {text}" for text in status.problems)]
    yield [f"The last {status.figures.minutes} minutes:", *_figure_lines(status.figures)]
    if status.alarms:
        active = [alarm.name for alarm in status.alarms if alarm.state == "ALARM"]
        yield [f"Alarms active: {', '.join(active)}" if active else f"Alarms: none of {len(status.alarms)} is active"]
    if status.objects:
        yield ["Newest objects:", *(f"  {row.time:%H:%M:%S}  {row.size:>9,}  {row.key}" for row in status.objects)]
    if status.errors:
        yield ["Last errors:", *(f"  {row.time:%H:%M:%S}  {row.message[:200]}" for row in status.errors)]
    if status.unread:
        yield ["Could not be read:", *(f"  {text}" for text in status.unread)]


def _facts(description: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in description.items()) if description else "none"


def _figure_lines(figures: Figures) -> Iterator[str]:
    rows = (
        ("records put", figures.records, ""),
        ("busiest minute", figures.records_per_second, " records/s"),
        ("throttled by full shards", figures.throttled_writes, ""),
        ("calls of the function", figures.invocations, ""),
        ("failed calls", figures.errors, ""),
        ("longest call", figures.duration_ms, " ms"),
        ("iterator age", figures.iterator_age_ms, " ms"),
        ("records stored", figures.stored, ""),
        ("records rejected", figures.rejected, ""),
        ("groups not stored", figures.failed_uploads, ""),
        ("storing an object, p99", figures.put_latency_ms, " ms"),
    )
    for name, value, unit in rows:
        yield f"  {name:<24}{'-' if value is None else f'{value:,.0f}{unit}'}"


# --- Doctor, scale, destroy -------------------------------------------------------------------------


def format_diagnosis(diagnosis: Diagnosis) -> str:
    """Format each finding with its repair."""
    lines = [
        f"{finding.severity.upper()}  {finding.check}: {finding.problem}\n    {finding.repair}"
        for finding in diagnosis.findings
    ]
    lines += [f"NOT READ  {text}" for text in diagnosis.unread]
    return "\n".join(lines) or f"All {diagnosis.checks} checks passed."


def format_scaling(scaling: Scaling) -> str:
    """Format the figures and the advice of the rules."""
    capacity = scaling.capacity
    shards = "on demand" if capacity.on_demand else f"{capacity.shards} shard{'s' * (capacity.shards != 1)}"
    lines = [f"{shards}, {capacity.memory} MB, {capacity.timeout} s; the last {scaling.figures.minutes} minutes:"]
    lines += [*_figure_lines(scaling.figures), ""]
    lines += [f"{each.rule}: {each.reason}\n    {each.action}" for each in scaling.advice]
    missing = f"CloudWatch has no figures of the last {scaling.figures.minutes} minutes"
    if not scaling.checked:
        lines.append(
            f"Nothing was checked: {missing}. truckstream status shows whether records are put and the function runs; "
            "--minutes sets a longer period."
        )
    elif not scaling.advice:
        lines.append("Nothing to change.")
    elif scaling.deployment is None and any(each.parameter for each in scaling.advice):
        lines.append("Nothing was changed. Pass --apply to follow the advice.")
    if scaling.checked and scaling.unchecked:
        lines.append(f"Not checked, because {missing}: {', '.join(scaling.unchecked)}.")
    return "\n".join(lines)


def format_destruction(destruction: Destruction) -> str:
    """Format the resources that are deleted and those that remain."""
    verb = ("deleted", "kept") if destruction.done else ("would be deleted", "would be kept")
    lines = [f"Stack {destruction.stack}, {verb[0]}:"]
    lines += [f"  - {each.name}  {each.kind}  {each.physical_id}" for each in destruction.goes]
    if destruction.stays:
        lines.append(f"{verb[1].capitalize()} with their contents; --delete-data deletes those that the stack created:")
        lines += [f"    {each.name}  {each.kind}  {each.physical_id}" for each in destruction.stays]
    if destruction.again:
        lines += ["To deploy the pipeline onto them again:", f"  {destruction.again}"]
    return "\n".join(lines)
