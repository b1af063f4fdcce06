"""Members of a request by which a kind of server is told which model answers, and where. Pure.

Which model answers is the mapping's to say, and whether a team may use it is checked by the name that the
client asked for. A client's own of these are not passed on; what a profile or a mapping says stays.
Names are in lower case; `tools.model` is the member `model` of each of `tools`, or of an object.

Sources: OpenRouter, "Model Fallbacks", "Provider Routing", "Plugins", "Server Tools"; LiteLLM, "Clientside
LLM Credentials", "Client-Side Fallbacks", "Tag Based Routing", and what its proxy refuses from clients
(`proxy/auth/auth_utils.py`); Vercel, "AI Gateway"; Azure, "On Your Data"; Anthropic, "Advisor tool"; OpenAI,
"Image generation" (a tool with a model of its own); Groq, "Compound"; Together, "Chat completions"; vLLM,
"Disaggregated Prefilling"; SGLang, "LoRA Serving", "PD Disaggregation"; llama.cpp, `tools/server/README.md`;
Text Generation Inference, "Multi-LoRA"; LM Studio, "Speculative Decoding"; LocalAI, "OpenAI functions";
Cloudflare, "gpt-oss-120b".
"""

from __future__ import annotations

TOOL_MODELS = frozenset({"tools.model"})
"""Tools that the server runs itself, with another model."""
OPENROUTER = TOOL_MODELS | {
    "fallbacks",
    "models",
    "plugins",
    "preset",
    "provider",
    "providers",
    "route",
}
OPENROUTER_TOOLS = ["openrouter:*"]
"""Panels of other models, advisors, and searches at other places: OpenRouter runs them."""
AZURE = TOOL_MODELS | {"data_sources", "datasources"}
ANTHROPIC = TOOL_MODELS | {"fallbacks"}
GROQ = TOOL_MODELS | {"compound_custom"}
VLLM = frozenset({"ec_transfer_params", "kv_transfer_params"})
SGLANG = VLLM | {
    "bootstrap_host",
    "bootstrap_port",
    "bootstrap_room",
    "data_parallel_rank",
    "lora_path",
    "routed_dp_rank",
}
LLAMACPP = frozenset({"lora"})
CLOUDFLARE = frozenset({"lora"})
TGI = frozenset({"adapter_id"})
LMSTUDIO = frozenset({"draft_model"})
LOCALAI = frozenset({"backend", "model_base_name"})
TOGETHER = frozenset({"safety_model"})
LITELLM = TOOL_MODELS | {
    # Which model, and which of several places of it.
    "allowed_model_region",
    "content_policy_fallbacks",
    "context_window_fallback_dict",
    "context_window_fallbacks",
    "custom_llm_provider",
    "default_fallbacks",
    "deployment_id",
    "enable_weighted_failover",
    "fallbacks",
    "litellm_metadata",
    "litellm_params",
    "metadata.model_group",
    "metadata.tags",
    "model_group",
    "model_id",
    "model_info",
    "model_list",
    "models",
    "prompt_id",
    "prompt_label",
    "prompt_version",
    "region_name",
    "route",
    "router_settings_override",
    "routing_strategy",
    "specific_deployment",
    "tags",
    "user_config",
    # Another address, and who pays there.
    "api_base",
    "api_key",
    "api_version",
    "aws_access_key_id",
    "aws_bedrock_runtime_endpoint",
    "aws_external_id",
    "aws_profile_name",
    "aws_region_name",
    "aws_role_name",
    "aws_secret_access_key",
    "aws_session_name",
    "aws_session_token",
    "aws_sts_endpoint",
    "aws_web_identity_token",
    "azure_ad_token",
    "azure_endpoint",
    "azure_password",
    "azure_scope",
    "azure_username",
    "base_url",
    "client_id",
    "client_secret",
    "deployment_url",
    "extra_body",
    "extra_headers",
    "headers",
    "litellm_credential_name",
    "litellm_embedding_config",
    "mock_testing_fallbacks",
    "organization",
    "provider",
    "proxy_server_request",
    "s3_endpoint_url",
    "sagemaker_base_url",
    "tenant_id",
    "use_litellm_proxy",
    "vertex_ai_credentials",
    "vertex_ai_location",
    "vertex_ai_project",
    "vertex_credentials",
    "vertex_location",
    "vertex_project",
    "watsonx_region_name",
    # Where it writes down what was said.
    "callbacks",
    "failure_callback",
    "langfuse_host",
    "langfuse_public_key",
    "langfuse_secret",
    "langfuse_secret_key",
    "langsmith_api_key",
    "langsmith_base_url",
    "logger_fn",
    "success_callback",
}
ANY = (
    LITELLM
    | OPENROUTER
    | AZURE
    | GROQ
    | SGLANG
    | TOGETHER
    | LMSTUDIO
    | LOCALAI
    | LLAMACPP
    | CLOUDFLARE
    | TGI
    | {
        # Vercel, Portkey, Cloudflare, Helicone and others of their kind.
        "config",
        "endpoint",
        "endpoint_url",
        "engine",
        "fallback",
        "fallback_model",
        "fallback_models",
        "gateway",
        "model_name",
        "override_params",
        "provider_options",
        "provideroptions",
        "router",
        "routing",
        "strategy",
        "targets",
        "virtual_key",
    }
)
"""For a server that nobody knows: it may be any gateway, and these mean nothing to a server that is none."""
