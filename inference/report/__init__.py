"""The report of a case, for people and for the record: a page to print and the same as PDF."""
