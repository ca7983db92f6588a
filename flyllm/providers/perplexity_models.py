"""Names of models at Perplexity; where they come from is told in `perplexity`."""

SONAR = "perplexity/sonar"
SONAR_PRESETS = {
    "sonar": "fast",
    "sonar-pro": "low",
    "sonar-reasoning": "low",
    "sonar-reasoning-pro": "low",
    "sonar-deep-research": "medium",
}
PRESETS = ("fast", "low", "medium", "high", "xhigh", "wide-research")
"""Names that may stand in place of a model: Perplexity then chooses the model."""

STATIC = (SONAR, *PRESETS, *SONAR_PRESETS)
"""For servers without a model list: the presets, then the Sonar names that the adapter translates."""
