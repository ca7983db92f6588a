"""JSON schemas as providers take them: `dialects` says what each takes, `adapting` is where one is fitted to it."""
