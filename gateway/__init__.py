"""One request's life: resolve, rules, plan, admit, attempt, relay, settle."""
