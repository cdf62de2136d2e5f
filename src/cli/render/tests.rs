//! What people see, from constructed values.
