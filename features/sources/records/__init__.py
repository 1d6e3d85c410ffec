"""One module a format of health records: FHIR and Open mHealth."""
