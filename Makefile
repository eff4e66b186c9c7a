# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make            builds unfreed            make check   installs what is missing, runs all tests
# make demo       traces a leaking container            make help    lists everything

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

V ?= 0
O ?= build
prefix ?= /usr/local
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool 2>/dev/null || echo /usr/sbin/bpftool)
ARCH := $(shell uname -m)
VERSION := 0.1.0

ifeq ($(V),0)
Q := @
say = @printf '  %-8s %s\n' $(1) $(2)
else
Q :=
say = @:
endif

warnings := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wno-unused-parameter
CFLAGS ?= -O2 -g
ifeq ($(DEBUG),1)
CFLAGS := -O0 -g3
endif
ifneq ($(SAN),)
CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SAN)
endif
all_cflags = -std=gnu17 -D_GNU_SOURCE -DUNFREED_VERSION='"$(VERSION)"' $(warnings) \
	-Iuser -Ibpf -I$(O) $(CFLAGS) -MMD -MP

bpf_arch := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(ARCH)))
bpf_cflags := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(bpf_arch) -Wall -Wextra -Werror \
	-Wno-unused-parameter -Wno-missing-declarations -Ivmlinux/$(ARCH) -MMD -MP

bpf_sources := $(wildcard bpf/*.bpf.c)
bpf_objects := $(bpf_sources:%.c=$(O)/%.o)
skeleton := $(O)/unfreed.skel.h

sources := $(wildcard user/*/*.c)
objects := $(sources:%.c=$(O)/%.o)
library := $(filter-out $(O)/user/cmd/%,$(objects))
libraries := -lbpf -ldw -lelf -lz -lZydis -liberty -ljansson

unit_sources := $(wildcard tests/unit/test_*.c)
unit_programs := $(unit_sources:%.c=$(O)/%)

.PHONY: all unit golden clean
all: $(O)/unfreed

$(O)/unfreed: $(objects)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(libraries)

$(O)/bpf/%.o: bpf/%.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(bpf_cflags) -c $< -o $@

$(O)/unfreed.bpf.o: $(bpf_objects)
	$(call say,LINKBPF,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(skeleton): $(O)/unfreed.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name unfreed > $@

$(O)/user/collect/%.o: | $(skeleton)

# What a flamegraph carries within itself: the bytes of a file as numbers, to be included.
$(O)/%.inc: %
	$(call say,EMBED,$@)
	$(Q)mkdir -p $(@D)
	$(Q)od -An -v -tx1 $< | sed 's/ \(..\)/0x\1,/g' > $@

$(O)/user/report/svg.o: $(patsubst %,$(O)/user/report/flamegraph.%.inc,css js)

$(O)/%.o: %.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(all_cflags) -c $< -o $@

# -- tests ------------------------------------------------------------------------------------------

$(O)/libunfreed.a: $(library)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# A unit test that needs no more than some folders may be built before the rest of the tree is there.
$(O)/tests/unit/%: $(O)/tests/unit/%.o $(O)/libunfreed.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(O)/libunfreed.a -lcmocka $(libraries)

$(O)/tests/golden/render: $(O)/tests/golden/render.o $(O)/libunfreed.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(libraries)

golden: $(O)/tests/golden/render
	$(Q)tests/golden/run $<

unit: $(unit_programs)
	$(Q)for t in $(unit_programs); do $$t || exit 1; done

clean:
	$(Q)rm -rf $(O)

-include $(shell find $(O) -name '*.d' 2>/dev/null)
