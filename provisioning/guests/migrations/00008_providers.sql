-- +goose Up
-- The identity provider of a company, by which its guests sign in. The client's secret is sealed.
create table guest_providers (
    company   text   not null,
    issuer    text   not null,
    client_id text   not null,
    sealed    text   not null,
    claims    text   not null,
    made_by   text   not null,
    made_at   bigint not null,
    constraint guest_providers_pk primary key (company),
    constraint guest_providers_company foreign key (company) references guest_companies (id)
);

-- Which guest of a company a subject is: by issuer and subject, never by an e-mail address.
create table guest_identities (
    company    text   not null,
    issuer     text   not null,
    subject    text   not null,
    guest      text   not null,
    created_at bigint not null,
    constraint guest_identities_pk primary key (company, issuer, subject),
    constraint guest_identities_of unique (guest, issuer),
    constraint guest_identities_guest foreign key (guest) references guests (id)
);

-- +goose Down
drop table guest_identities;
drop table guest_providers;
