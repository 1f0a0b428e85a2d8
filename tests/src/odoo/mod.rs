//! A simulated Odoo.
