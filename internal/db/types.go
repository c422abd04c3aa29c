package db

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"
)

// Instant is a moment in UTC, kept as whole microseconds since 1970 in a bigint column; the zero Instant is NULL.
type Instant struct{ time.Time }

// At makes an Instant of t.
func At(t time.Time) Instant {
	if t.IsZero() {
		return Instant{}
	}
	return Instant{t.UTC().Truncate(time.Microsecond)}
}

// GormDataType keeps gorm from filling the column by itself.
func (Instant) GormDataType() string { return "bigint" }

// Value implements driver.Valuer.
func (i Instant) Value() (driver.Value, error) {
	if i.IsZero() {
		return nil, nil
	}
	return i.UnixMicro(), nil
}

// Scan implements sql.Scanner.
func (i *Instant) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		i.Time = time.Time{}
	case int64:
		i.Time = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("instant: cannot read %T", v)
	}
	return nil
}

// JSON keeps V as JSON in a text column.
type JSON[T any] struct{ V T }

// GormDataType implements schema.GormDataTypeInterface.
func (JSON[T]) GormDataType() string { return "text" }

// Value implements driver.Valuer.
func (j JSON[T]) Value() (driver.Value, error) {
	b, err := json.Marshal(j.V)
	return string(b), err
}

// Scan implements sql.Scanner.
func (j *JSON[T]) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		var none T
		j.V = none
		return nil
	case string:
		return json.Unmarshal([]byte(v), &j.V)
	case []byte:
		return json.Unmarshal(v, &j.V)
	}
	return fmt.Errorf("json column: cannot read %T", v)
}
