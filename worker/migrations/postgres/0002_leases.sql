-- Who leads a role that one process has at a time.
--
-- Never edit this file once released: the worker compares its checksum with the one it
-- applied. Operational: a row lost costs nothing but a moment of no leader.

create table leases (
    role   text collate "C" primary key,
    holder text not null,
    -- From here on anybody may take it.
    until  timestamptz not null
);
