"""Text in, scores out: bundle, tokenizer, packed batch and backends. Knows no HTTP."""
