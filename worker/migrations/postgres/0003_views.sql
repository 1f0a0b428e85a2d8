-- What people look at: one row per webhook event, the sums of each payment, and what waiting
-- events wait for. PostgreSQL 13 or later.
--
-- Folds of the log that follow it behind: every row of a stream is made of that stream's
-- history alone, and all are replaced when it grows. They can be dropped and made again at any
-- time, and hold nothing the log has not. Never edit this file once released: the worker
-- compares its checksum with the one it applied.

create table view_events (
    stream      text collate "C" not null,
    event_id    text collate "C" not null,
    account     text collate "C" not null,
    -- As Ventipay sent it; null when unreadable.
    type        text collate "C",
    -- received, reconciled, pending, parked, ignored, recorded.
    status      text collate "C" not null,
    -- The reason's name, where there is one.
    reason      text collate "C",
    received_at timestamptz not null,
    -- The day it was received in America/Santiago, 2026-01-31.
    day         text collate "C" not null,
    -- What was told to be paid, in minor units.
    minor       bigint,
    currency    text collate "C",
    due_at      timestamptz,
    since       timestamptz,
    held        boolean not null,
    mode        text collate "C",
    -- The values it was looked for by: a JSON list.
    looked_for  text not null,
    -- Every name it goes by (orders, references, payments), lower case, a line each.
    search      text not null,
    -- All that is known of it, as JSON.
    row         text not null,
    primary key (stream, event_id)
);

create index view_events_in_time on view_events (received_at, event_id, stream);
create index view_events_by_status on view_events (status, received_at, event_id, stream);

create table view_payments (
    stream   text collate "C" not null,
    currency text collate "C" not null,
    account  text collate "C" not null,
    -- The day it was paid in America/Santiago.
    day      text collate "C" not null,
    -- paid - refunded = booked + pending + parked; other is beside it. In minor units.
    paid     bigint not null,
    refunded bigint not null,
    booked   bigint not null,
    pending  bigint not null,
    parked   bigint not null,
    other    bigint not null,
    primary key (stream, currency)
);

create index view_payments_by_day on view_payments (day, currency);

-- What an order must carry so that a waiting event finds it.
create table view_keys (
    account text collate "C" not null,
    value   text collate "C" not null,
    stream  text collate "C" not null,
    primary key (account, value, stream)
);

create index view_keys_by_stream on view_keys (stream);

-- How far into the log the views have come.
create table view_cursors (
    view        text collate "C" primary key,
    -- Which build's rows these are; 0 while they are being dropped.
    version     integer not null,
    "transaction" bigint not null,
    position    bigint not null
);

insert into view_cursors (view, version, "transaction", position) values ('streams', 0, 0, 0);
