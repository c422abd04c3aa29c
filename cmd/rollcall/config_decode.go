package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/v2"
)

// decode fills cfg and refuses every key that Config does not have.
func decode(k *koanf.Koanf, cfg *Config) error {
	var meta mapstructure.Metadata
	err := k.UnmarshalWithConf("", cfg, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		DecodeHook:       mapstructure.StringToTimeDurationHookFunc(),
		Metadata:         &meta,
		Result:           cfg,
		WeaklyTypedInput: true,
		TagName:          "koanf",
	}})
	if err != nil {
		return errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	if len(meta.Unused) > 0 {
		slices.Sort(meta.Unused)
		return fmt.Errorf("unknown keys: %s", strings.Join(meta.Unused, ", "))
	}
	return nil
}
