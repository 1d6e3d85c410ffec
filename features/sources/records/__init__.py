"""One module for each format of health records: FHIR and Open mHealth."""
