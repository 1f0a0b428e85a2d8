-- Who leads a role that one process has at a time. The table of PostgreSQL's 0002_leases.sql.
-- Never edit this file once released: the worker compares its checksum with the one it
-- applied.

create table leases (
    role   text not null primary key,
    holder text not null,
    until  integer not null
) strict, without rowid;
