package store

import "sync"

// cache remembers what was read, for the one process that writes the database.
// It is bounded: full, it begins anew.
type cache[K comparable, V any] struct {
	mu   sync.Mutex
	all  map[K]V
	turn uint64 // of the last drop
}

const maxCached = 20_000

// get returns what is known of k; turn goes with a later put.
func (c *cache[K, V]) get(k K) (v V, ok bool, turn uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok = c.all[k]
	return v, ok, c.turn
}

// put remembers v, unless something was dropped since the get: then v may have
// been read before that change.
func (c *cache[K, V]) put(k K, v V, turn uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turn {
		return
	}
	if c.all == nil || len(c.all) >= maxCached {
		c.all = map[K]V{}
	}
	c.all[k] = v
}

// drop forgets the keys given, or everything where none is. Call it behind the
// commit of the change.
func (c *cache[K, V]) drop(keys ...K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	if len(keys) == 0 {
		clear(c.all)
	}
	for _, k := range keys {
		delete(c.all, k)
	}
}
