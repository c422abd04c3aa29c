package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/v2"

	"github.com/rollcall-im/rollcall/policies"
)

// decode fills cfg and refuses every key that Config does not have.
func decode(k *koanf.Koanf, cfg *Config) error {
	var meta mapstructure.Metadata
	err := k.UnmarshalWithConf("", cfg, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		DecodeHook:       duration,
		Metadata:         &meta,
		Result:           cfg,
		WeaklyTypedInput: true,
		TagName:          "koanf",
	}})
	if err != nil {
		return undecoded(err)
	}
	if len(meta.Unused) == 0 {
		return nil
	}
	slices.Sort(meta.Unused)
	known := slices.DeleteFunc(meta.Keys, func(key string) bool { return key == "" })
	var all joined
	for _, key := range meta.Unused {
		text := "unknown key"
		if best := policies.DidYouMean(key, append(known, meta.Unset...)); best != "" {
			text += fmt.Sprintf(" (did you mean %q?)", best)
		}
		all = append(all, fault{key, text})
	}
	return all
}

// undecoded says in words of the configuration what could not be read.
func undecoded(err error) error {
	one, alone := err.(*mapstructure.DecodeError)
	var several interface{ Unwrap() []error }
	switch {
	case !alone && errors.As(err, &several):
		var all joined
		for _, inner := range several.Unwrap() {
			all = append(all, undecoded(inner))
		}
		return all
	case !alone:
		return fmt.Errorf("configuration: %w", err)
	}
	var unparsed *mapstructure.ParseError
	var unfit *mapstructure.UnconvertibleTypeError
	text := one.Unwrap().Error()
	switch {
	case errors.As(one.Unwrap(), &unparsed):
		text = fmt.Sprintf("wants %s, not %q", wanted(unparsed.Expected.Type()), fmt.Sprint(unparsed.Value))
	case errors.As(one.Unwrap(), &unfit):
		text = "wants " + wanted(unfit.Expected.Type()) + ", not " + shape(unfit.Value)
	}
	return fault{one.Name(), text}
}

// wanted says what a value of a type is written as.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number, as 0.5"
	case reflect.String:
		return "one text"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "keys of its own"
	}
	return "a whole number, as 20"
}

// shape says what stands there, without a secret that may be part of it.
func shape(value any) string {
	switch reflect.ValueOf(value).Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.Map:
		return "keys"
	}
	return "one value"
}

// duration reads a duration, and says what stands there instead of one.
func duration(from, to reflect.Type, value any) (any, error) {
	if from.Kind() != reflect.String || to != reflect.TypeFor[time.Duration]() {
		return value, nil
	}
	text := reflect.ValueOf(value).String()
	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("wants a duration, as 30s or 5m, not %q", text)
	}
	return d, nil
}

// oneText refuses a list where an LDAP source wants its servers in one text.
func oneText(raw map[string]any) error {
	var errs joined
	sources, _ := raw["ldap"].([]any)
	for i, source := range sources {
		keys, _ := source.(map[string]any)
		if _, list := keys["url"].([]any); list {
			errs = append(errs, fault{fmt.Sprintf("ldap[%d].url", i), "wants one text, with blanks between the servers, not a list"})
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return errs
}
