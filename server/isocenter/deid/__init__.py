"""De-identification (PS3.15 Annex E): profiles as plans, identifiers by key, findings and reports.

Pure: data set in; data set, findings and change log out. Not here: which objects (cohorts, folders) and
where they go.
"""
