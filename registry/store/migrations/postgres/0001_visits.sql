-- +goose Up
-- Partitions by day are made in advance and dropped whole (partition.go). The
-- primary key is the idempotency key (pass id, issuer, kiosk) behind the time at
-- which the pass was made, so that new visits are written side by side in it
-- however many there are. The widths are ordered so that a row needs no padding.
CREATE TABLE visits (
	sealed   uuid     NOT NULL, -- the pass id under its day key, 16 bytes
	issued   bigint   NOT NULL, -- Unix seconds, as the pass says
	scanned  bigint   NOT NULL, -- Unix milliseconds, the kiosk's clock
	received bigint   NOT NULL, -- Unix milliseconds, the registry's clock
	seq      bigint   NOT NULL, -- the kiosk's own count
	day      integer  NOT NULL, -- of the signed iat: days since 1970-01-01, Seoul time
	flags    smallint NOT NULL, -- wire.Flags
	issuer   text     NOT NULL COLLATE "C",
	kiosk    text     NOT NULL COLLATE "C",
	facility text     NOT NULL COLLATE "C",
	PRIMARY KEY (day, issued, sealed, issuer, kiosk)
) PARTITION BY RANGE (day);
CREATE INDEX visits_facility ON visits (facility, scanned);

-- +goose Down
DROP TABLE visits;
