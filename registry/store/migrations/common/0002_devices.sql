-- +goose Up
CREATE TABLE facilities (
	id      TEXT   PRIMARY KEY,
	name    TEXT   NOT NULL, -- for people
	kind    TEXT   NOT NULL, -- chooses the policy in the bundle
	owner   TEXT   NOT NULL, -- account, or '' for none
	created BIGINT NOT NULL
);
CREATE INDEX facilities_owner ON facilities (owner);

CREATE TABLE kiosks (
	id          TEXT   PRIMARY KEY,
	facility    TEXT   NOT NULL REFERENCES facilities (id),
	name        TEXT   NOT NULL, -- of the door, for people; may be ''
	enrolled    BIGINT NOT NULL,
	revoked     BIGINT,
	seen        BIGINT,          -- last heartbeat, and below what it said
	version     TEXT   NOT NULL,
	queue       BIGINT NOT NULL DEFAULT 0,
	oldest      BIGINT NOT NULL DEFAULT 0,
	bundle      BIGINT NOT NULL, -- the highest number it has ever reported
	clock       BIGINT NOT NULL DEFAULT 0,
	fps         BIGINT NOT NULL DEFAULT 0,
	temperature BIGINT NOT NULL DEFAULT 0,
	disk        BIGINT NOT NULL DEFAULT 0,
	refused     BIGINT NOT NULL DEFAULT 0,
	destroyed   BIGINT NOT NULL DEFAULT 0,
	uptime      BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX kiosks_facility ON kiosks (facility);

-- The keys kiosks prove themselves with. A kiosk has one that is confirmed, and
-- while an answer to its renewal is under way a second that is not.
CREATE TABLE kiosk_keys (
	spki      BYTEA  PRIMARY KEY, -- SHA-256 of the SubjectPublicKeyInfo
	kiosk     TEXT   NOT NULL REFERENCES kiosks (id),
	expires   BIGINT NOT NULL,    -- of its newest certificate
	confirmed BIGINT NOT NULL,    -- 1 once it has been used
	revoked   BIGINT
);
CREATE INDEX kiosk_keys_kiosk ON kiosk_keys (kiosk);

CREATE TABLE codes (
	id       TEXT   PRIMARY KEY, -- 16 hexadecimal digits
	facility TEXT   NOT NULL REFERENCES facilities (id),
	kiosk    TEXT   NOT NULL,    -- the one to be replaced, or ''
	name     TEXT   NOT NULL,    -- of the door
	secret   BYTEA,              -- sealed by a key outside; NULL once used or expired
	issued   BIGINT NOT NULL,
	expires  BIGINT NOT NULL,
	used     BIGINT,
	spki     BYTEA               -- of the key that used it
);

-- +goose Down
DROP TABLE codes;
DROP TABLE kiosk_keys;
DROP TABLE kiosks;
DROP TABLE facilities;
