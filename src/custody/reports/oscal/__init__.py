"""OSCAL 1.2.1: assessment results of a report, and catalogues of the controls that have none in OSCAL."""

from custody.reports.oscal.catalogs import catalogs
from custody.reports.oscal.results import assessment_results

__all__ = ["assessment_results", "catalogs"]
