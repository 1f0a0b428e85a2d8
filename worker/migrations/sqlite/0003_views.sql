-- What people look at: one row per webhook event, the sums of each payment, and what waiting
-- events wait for. The tables of PostgreSQL's 0003_views.sql; read that file for what each
-- column means. Never edit this file once released: the worker compares its checksum with the
-- one it applied.

create table view_events (
    stream      text not null,
    event_id    text not null,
    account     text not null,
    type        text,
    status      text not null,
    reason      text,
    received_at integer not null,
    day         text not null,
    minor       integer,
    currency    text,
    due_at      integer,
    since       integer,
    held        integer not null check (held in (0, 1)),
    mode        text,
    looked_for  text not null,
    search      text not null,
    row         text not null,
    primary key (stream, event_id)
) strict;

create index view_events_in_time on view_events (received_at, event_id, stream);
create index view_events_by_status on view_events (status, received_at, event_id, stream);

create table view_payments (
    stream   text not null,
    currency text not null,
    account  text not null,
    day      text not null,
    paid     integer not null,
    refunded integer not null,
    booked   integer not null,
    pending  integer not null,
    parked   integer not null,
    other    integer not null,
    primary key (stream, currency)
) strict;

create index view_payments_by_day on view_payments (day, currency);

create table view_keys (
    account text not null,
    value   text not null,
    stream  text not null,
    primary key (account, value, stream)
) strict, without rowid;

create index view_keys_by_stream on view_keys (stream);

create table view_cursors (
    view          text not null primary key,
    version       integer not null,
    "transaction" integer not null,
    position      integer not null
) strict, without rowid;

insert into view_cursors (view, version, "transaction", position) values ('streams', 0, 0, 0);
