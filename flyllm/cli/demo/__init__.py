"""`flyllm demo`: what the library does, shown on a batch, a stream, the bill and one request's way through failures."""
