-- +goose Up
-- What kiosks say of journals that were damaged and mended.
ALTER TABLE kiosks ADD COLUMN mended BIGINT NOT NULL DEFAULT 0;
ALTER TABLE kiosks ADD COLUMN salvaged BIGINT NOT NULL DEFAULT 0; -- visits

-- +goose Down
ALTER TABLE kiosks DROP COLUMN salvaged;
ALTER TABLE kiosks DROP COLUMN mended;
