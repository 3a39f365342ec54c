-- +goose Up
-- The primary key is the idempotency key (pass id, issuer, kiosk) behind the
-- time at which the pass was made: the visits lie in its order (WITHOUT ROWID),
-- so that a resent batch is found without a second index, new visits are written
-- side by side however many there are, and a day is one range.
CREATE TABLE visits (
	day      INTEGER NOT NULL, -- of the signed iat: days since 1970-01-01, Seoul time
	issuer   TEXT    NOT NULL,
	sealed   BLOB    NOT NULL CHECK (length(sealed) = 16), -- the pass id under its day key
	kiosk    TEXT    NOT NULL,
	facility TEXT    NOT NULL,
	issued   INTEGER NOT NULL, -- Unix seconds, as the pass says
	scanned  INTEGER NOT NULL, -- Unix milliseconds, the kiosk's clock
	received INTEGER NOT NULL, -- Unix milliseconds, the registry's clock
	seq      INTEGER NOT NULL, -- the kiosk's own count
	flags    INTEGER NOT NULL, -- wire.Flags
	PRIMARY KEY (day, issued, sealed, issuer, kiosk)
) STRICT, WITHOUT ROWID;
CREATE INDEX visits_facility ON visits (facility, scanned);

-- +goose Down
DROP TABLE visits;
