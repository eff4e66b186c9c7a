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

.PHONY: all unit targets clean
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

unit: $(unit_programs)
	$(Q)for t in $(unit_programs); do $$t || exit 1; done

# Programs with known truth, each in two builds: with frame pointers, and optimised without them.
target_names := $(filter-out %_cxx,$(basename $(wildcard tests/targets/*.c tests/targets/*.cc)))
target_programs := $(target_names:%=$(O)/%) $(target_names:%=$(O)/%-nofp)
target_flags := -g -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter -pthread -MMD -MP
target_fp := -O1 -fno-omit-frame-pointer
target_nofp := -O2 -fomit-frame-pointer

define target_object # suffix of the program, flags, suffix of the source, compiler
$(O)/tests/targets/%$(1).o: tests/targets/%.$(3)
	$$(call say,TARGET,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(4) $(target_flags) $(2) -c $$< -o $$@
endef
$(eval $(call target_object,,$(target_fp),c,$(CC) -std=gnu17))
$(eval $(call target_object,,$(target_fp),cc,$(CXX) -std=gnu++17))
$(eval $(call target_object,-nofp,$(target_nofp),c,$(CC) -std=gnu17))
$(eval $(call target_object,-nofp,$(target_nofp),cc,$(CXX) -std=gnu++17))

$(O)/tests/targets/%: $(O)/tests/targets/%.o
	$(call say,LINK,$@)
	$(Q)$(CXX) -pthread -o $@ $^ -Wl,--as-needed

$(O)/tests/targets/heap_truth: $(O)/tests/targets/heap_truth_cxx.o
$(O)/tests/targets/heap_truth-nofp: $(O)/tests/targets/heap_truth_cxx-nofp.o

targets: $(target_programs)

clean:
	$(Q)rm -rf $(O)

-include $(shell find $(O) -name '*.d' 2>/dev/null)
