"""Ready-made scripts: what backends, gateways and networks really do.

Each works for streams and whole answers alike, as far as the fault makes sense for both.
"""

from .abilities import able
from .breaks import (
    close_without_answer,
    cut_mid_stream,
    drop_reused,
    not_http,
    reset_mid_stream,
    reset_without_answer,
    short_body,
)
from .forms import comments, crlf, gzip_sse, no_done, no_finish, odd_chunking
from .refusals import (
    error_event_first,
    error_event_mid,
    html_200,
    json_200_instead_of_sse,
    json_body,
    model_not_found,
    rate_limited,
    redirect,
    replay,
    status,
)
from .speech import (
    invalid_tool_arguments,
    long_line,
    obedient,
    parallel_same_tool,
    reasoning,
    saying,
    text_and_tool_in_one_chunk,
    tool_calls_finish_stop,
)
from .timing import (
    flood,
    headers_then_silence,
    held,
    silent,
    slow_first_token,
    stall_mid_stream,
    token_text,
    tokens,
)

__all__ = [
    "able",
    "close_without_answer",
    "comments",
    "crlf",
    "cut_mid_stream",
    "drop_reused",
    "error_event_first",
    "error_event_mid",
    "flood",
    "gzip_sse",
    "headers_then_silence",
    "held",
    "html_200",
    "invalid_tool_arguments",
    "json_200_instead_of_sse",
    "json_body",
    "long_line",
    "model_not_found",
    "no_done",
    "no_finish",
    "not_http",
    "obedient",
    "odd_chunking",
    "parallel_same_tool",
    "rate_limited",
    "reasoning",
    "redirect",
    "replay",
    "reset_mid_stream",
    "reset_without_answer",
    "saying",
    "short_body",
    "silent",
    "slow_first_token",
    "stall_mid_stream",
    "status",
    "text_and_tool_in_one_chunk",
    "token_text",
    "tokens",
    "tool_calls_finish_stop",
]
