//! The ledger: approvals, times, limits of accounts, rules, rights.
