//! Unwraps what lies in the spool: age, Amazon's AES-256-CBC documents, gzip.
