#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| odoo_spoold::fuzz::whole(data));
