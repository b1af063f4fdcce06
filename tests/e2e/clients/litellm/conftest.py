"""litellm asks nobody but the server under test."""

import os

# Read when litellm is imported: else it fetches the newest list of prices from the network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
