"""`truckstream query`: ask the stored records."""
