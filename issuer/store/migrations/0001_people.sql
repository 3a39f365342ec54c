-- +goose Up
-- Times are Unix milliseconds, 0 for never. Columns named sealed_… hold
-- AES-256-GCM ciphertexts under the data key, which is not in this database.

-- One row a verified identity and brand. tag is an HMAC of brand and identity:
-- it finds the row again and says nothing without the key.
CREATE TABLE people (
  id           BLOB PRIMARY KEY, -- 16 random bytes
  brand        TEXT NOT NULL,
  tag          BLOB NOT NULL,
  phone_tag    BLOB NOT NULL,    -- HMAC of brand and number
  sealed_name  BLOB NOT NULL,
  sealed_phone BLOB NOT NULL,
  sealed_birth BLOB NOT NULL,
  sealed_more  BLOB NOT NULL,    -- everything else of the person, JSON
  created      INTEGER NOT NULL,
  verified     INTEGER NOT NULL,
  used         INTEGER NOT NULL, -- day (UTC+9) of the last code, as days since 1970-01-01
  withdrawn    INTEGER NOT NULL DEFAULT 0,
  UNIQUE (brand, tag)
) WITHOUT ROWID;
CREATE INDEX people_phone ON people (brand, phone_tag);

-- What was agreed to, word for word, and who agreed when.
CREATE TABLE consent_texts (
  digest  BLOB PRIMARY KEY, -- SHA-256 of the rest
  version TEXT NOT NULL,
  title   TEXT NOT NULL,
  text    TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE consents (
  person BLOB NOT NULL REFERENCES people (id) ON DELETE CASCADE,
  item   TEXT NOT NULL,
  digest BLOB NOT NULL REFERENCES consent_texts (digest),
  given  INTEGER NOT NULL,
  PRIMARY KEY (person, item)
) WITHOUT ROWID;

-- Identity verifications of a person, for 「최근 인증내역」.
CREATE TABLE verifications (
  person BLOB NOT NULL REFERENCES people (id) ON DELETE CASCADE,
  at     INTEGER NOT NULL,
  method TEXT NOT NULL,
  PRIMARY KEY (person, at)
) WITHOUT ROWID;

-- Short-lived state: sessions, requests of the identity apps, counters. Each is
-- one sealed JSON document.
CREATE TABLE documents (
  kind    TEXT NOT NULL,
  id      BLOB NOT NULL,
  tag     BLOB NOT NULL,
  sealed  BLOB NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX documents_tag ON documents (kind, tag);
CREATE INDEX documents_expires ON documents (expires);

-- The issue log: which pass was made for whom. Both columns are sealed under the
-- key of the day, a file outside the database that is destroyed on day 29.
CREATE TABLE issued (
  day    INTEGER NOT NULL, -- days since 1970-01-01 in UTC+9
  pass   BLOB NOT NULL,    -- 16 bytes
  person BLOB NOT NULL,    -- 16 bytes
  PRIMARY KEY (day, pass)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE issued;
DROP TABLE documents;
DROP TABLE verifications;
DROP TABLE consents;
DROP TABLE consent_texts;
DROP TABLE people;
