"""HL7 FHIR R4: resources that a record system sends, and resources that it is sent."""
