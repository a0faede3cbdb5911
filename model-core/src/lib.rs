//! What a model is: signature, batch, inference engines, model folders. No I/O, no async, no clock.
