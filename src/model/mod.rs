//! What we talk about: Amazon and Odoo facts as types. Imports nothing of ours.
