"""Pure judgements on settings and plan. The policies, the report and the settings' own checks call the same functions."""
