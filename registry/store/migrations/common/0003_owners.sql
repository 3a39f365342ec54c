-- +goose Up
-- Owners of facilities and the people who look at their pages. Visitors are in
-- none of these tables.
CREATE TABLE owners (
	id             TEXT   PRIMARY KEY,     -- random
	business       TEXT   NOT NULL UNIQUE, -- business registration number, ten digits
	name           TEXT   NOT NULL,        -- of the business
	representative TEXT   NOT NULL,
	phone          TEXT   NOT NULL,        -- digits
	created        BIGINT NOT NULL
);

CREATE TABLE accounts (
	id       TEXT   PRIMARY KEY,     -- random
	owner    TEXT   NOT NULL REFERENCES owners (id),
	login    TEXT   NOT NULL UNIQUE, -- e-mail address or login name, lower case
	name     TEXT   NOT NULL,
	role     TEXT   NOT NULL,        -- boss, staff
	password TEXT   NOT NULL,        -- argon2id in the PHC string format
	created  BIGINT NOT NULL
);
CREATE INDEX accounts_owner ON accounts (owner);

-- Signed-in browsers. The cookie's value is not here, only its SHA-256.
CREATE TABLE owner_sessions (
	hash    TEXT   PRIMARY KEY, -- hexadecimal
	account TEXT   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	created BIGINT NOT NULL,
	seen    BIGINT NOT NULL
);
CREATE INDEX owner_sessions_account ON owner_sessions (account);

-- One-time links: invitations and new passwords. As above, only hashes.
CREATE TABLE owner_links (
	hash    TEXT   PRIMARY KEY, -- hexadecimal
	kind    TEXT   NOT NULL,    -- invite, recover
	owner   TEXT   NOT NULL REFERENCES owners (id),
	account TEXT   NOT NULL,    -- empty for an invitation
	expires BIGINT NOT NULL
);
CREATE INDEX owner_links_account ON owner_links (account);

-- Tries at logging in and the like, for growing delays. Rows go after a day.
CREATE TABLE owner_tries (
	subject TEXT   PRIMARY KEY, -- what is tried and at what, hashed
	count   BIGINT NOT NULL,
	delay   BIGINT NOT NULL,    -- ms, the last one imposed
	until   BIGINT NOT NULL,    -- no try is looked at before
	last    BIGINT NOT NULL
);

-- Kiosks whose owners have been told of a silence that lasts.
CREATE TABLE owner_silences (
	kiosk TEXT   PRIMARY KEY,
	since BIGINT NOT NULL -- its last heartbeat
);

-- +goose Down
DROP TABLE owner_silences;
DROP TABLE owner_tries;
DROP TABLE owner_links;
DROP TABLE owner_sessions;
DROP TABLE accounts;
DROP TABLE owners;
