-- How far each account's Odoo has been shown the log: a projection of it stands there for people.
--
-- Never edit this file once released: the worker compares its checksum with the one it applied.
-- Operational: a row lost shows everything again, and writes only what differs.

create table mirrors (
    account       text collate "C" primary key,
    "transaction" bigint not null,
    position      bigint not null
);
