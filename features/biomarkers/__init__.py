"""From signals to digital biomarkers, one module for each kind; wear is judged first."""
