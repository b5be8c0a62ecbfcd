"""Clinical questions, one a file: frames and arrays in, frames and numbers out."""
