-- +goose Up
-- What somebody asked for and somebody else has to decide. A waiting one whose lapses_at has come is over, whether or not its row says so yet.
create table approval_requests (
    id         text    not null,
    kind       text    not null,
    requester  text    not null,
    subject    text    not null,
    object     text    not null,
    role       text    not null,
    days       integer not null,
    reason     text    not null,
    state      text    not null constraint approval_requests_state check (state in ('waiting', 'granted', 'refused', 'withdrawn', 'lapsed')),
    asked_at   bigint  not null,
    lapses_at  bigint  not null,
    decided_at bigint,
    until      bigint,
    constraint approval_requests_pk primary key (id),
    constraint approval_requests_open check ((decided_at is null) = (state = 'waiting'))
);
create unique index approval_requests_waiting on approval_requests (kind, subject, object) where state = 'waiting';
create index approval_requests_due on approval_requests (lapses_at) where state = 'waiting';
create index approval_requests_of on approval_requests (requester, id);

-- Who said what about one.
create table approval_decisions (
    request  text    not null,
    approver text    not null,
    agrees   boolean not null,
    comment  text    not null,
    at       bigint  not null,
    constraint approval_decisions_pk primary key (request, approver),
    constraint approval_decisions_request foreign key (request) references approval_requests (id)
);

-- Whom a waiting one was brought to: who may decide is worked out anew whenever somebody asks.
create table approval_told (
    request text not null,
    person  text not null,
    constraint approval_told_pk primary key (request, person),
    constraint approval_told_request foreign key (request) references approval_requests (id)
);
create index approval_told_person on approval_told (person);

-- +goose Down
drop table approval_told;
drop table approval_decisions;
drop table approval_requests;
