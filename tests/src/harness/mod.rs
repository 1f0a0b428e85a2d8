//! Real servers for tests: started on free ports, stopped when dropped.
