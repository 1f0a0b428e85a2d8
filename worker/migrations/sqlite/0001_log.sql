-- The log, what it rests on, and the work it makes. SQLite 3.37 or later (strict tables).
--
-- The tables of PostgreSQL's 0001_log.sql, with what SQLite has instead; read that file for
-- what each column means. Moments are microseconds since 1970, UTC. Never edit this file
-- once released: the worker compares its checksum with the one it applied.

create table events (
    -- One writer at a time: the order of positions is the order of commits.
    position    integer primary key autoincrement,
    stream      text not null,
    sequence    integer not null check (sequence > 0),
    account     text not null,
    about       text not null,
    kind        text not null,
    version     integer not null,
    data        text not null,
    recorded_at integer not null,
    previous    blob not null check (length(previous) = 32),
    hash        blob not null check (length(hash) = 32),
    unique (stream, sequence)
) strict;

create table webhooks (
    account         text not null,
    event_id        text not null,
    body_hash       text not null,
    stream          text not null,
    broker_stream   text not null,
    broker_sequence integer not null,
    primary key (account, event_id)
) strict, without rowid;

create table conflicts (
    account   text not null,
    event_id  text not null,
    body_hash text not null,
    primary key (account, event_id, body_hash)
) strict, without rowid;

-- The only table whose rows may be deleted: that is how a person's data is erased.
create table payloads (
    account     text not null,
    event_id    text not null,
    body_hash   text not null,
    signature   text not null,
    late_s      integer,
    received_at integer not null,
    traceparent text,
    bytes       blob not null,
    primary key (account, event_id, body_hash)
) strict;

create table broker_positions (
    broker_stream text not null,
    sequence      integer not null check (sequence > 0),
    primary key (broker_stream, sequence)
) strict, without rowid;

create table broker_gone (
    broker_stream text not null,
    first         integer not null,
    last          integer not null check (last >= first),
    primary key (broker_stream, first, last)
) strict, without rowid;

create table broker_watermarks (
    broker_stream text not null primary key,
    first         integer not null,
    last          integer not null
) strict, without rowid;

create table work (
    stream      text not null primary key,
    account     text not null,
    due_at      integer,
    fresh       integer not null check (fresh in (0, 1)),
    generation  integer not null,
    holder      text,
    lease_until integer,
    claimed     integer,
    ready_at    integer generated always as
                    (case when holder is null then due_at else lease_until end) stored
) strict;

create index work_ready on work (fresh, ready_at) where ready_at is not null;
create index work_waiting on work (stream) where due_at is not null;

-- Append-only, whoever asks.
create trigger events_refuse_update before update on events
begin select raise(abort, 'table events is append-only: update is refused'); end;
create trigger events_refuse_delete before delete on events
begin select raise(abort, 'table events is append-only: delete is refused'); end;
create trigger webhooks_refuse_update before update on webhooks
begin select raise(abort, 'table webhooks is append-only: update is refused'); end;
create trigger webhooks_refuse_delete before delete on webhooks
begin select raise(abort, 'table webhooks is append-only: delete is refused'); end;
create trigger conflicts_refuse_update before update on conflicts
begin select raise(abort, 'table conflicts is append-only: update is refused'); end;
create trigger conflicts_refuse_delete before delete on conflicts
begin select raise(abort, 'table conflicts is append-only: delete is refused'); end;
create trigger payloads_refuse_update before update on payloads
begin select raise(abort, 'table payloads is append-only: update is refused'); end;

-- "insert or replace" deletes without firing delete triggers, so it is met on its way in.
create trigger events_refuse_replace before insert on events
when exists (select 1 from events where stream = new.stream and sequence = new.sequence)
  or exists (select 1 from events where position = new.position)
begin select raise(abort, 'table events is append-only: replace is refused'); end;
create trigger webhooks_refuse_replace before insert on webhooks
when exists (select 1 from webhooks where account = new.account and event_id = new.event_id)
begin select raise(abort, 'table webhooks is append-only: replace is refused'); end;
create trigger conflicts_refuse_replace before insert on conflicts
when exists (select 1 from conflicts
             where account = new.account and event_id = new.event_id and body_hash = new.body_hash)
begin select raise(abort, 'table conflicts is append-only: replace is refused'); end;
create trigger payloads_refuse_replace before insert on payloads
when exists (select 1 from payloads
             where account = new.account and event_id = new.event_id and body_hash = new.body_hash)
begin select raise(abort, 'table payloads is append-only: replace is refused'); end;
