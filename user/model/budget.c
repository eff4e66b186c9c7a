/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/budget.h"

/* Of the share. */
static const double accrues = 0.85;

/* Of a surprise, what is still expected when the next window has had none. */
static const double fades = 0.95;

static const uint64_t slice_ns = BUDGET_SLICE_SECONDS * 1000000000ULL;

void budget_begin(struct budget *budget, double share, double most_ns, uint64_t now_ns)
{
	*budget = (struct budget){
		.share = share,
		.most_ns = most_ns,
		.filled_ns = now_ns,
		.begun_ns = now_ns,
		.slice_begun_ns = now_ns,
	};
}

static void fill(struct budget *budget, uint64_t now_ns)
{
	if (now_ns <= budget->filled_ns)
		return;
	budget->left_ns += accrues * budget->share * (double)(now_ns - budget->filled_ns);
	if (budget->left_ns > budget->most_ns)
		budget->left_ns = budget->most_ns;
	budget->filled_ns = now_ns;
}

static void end_slice(struct budget *budget, uint64_t now_ns)
{
	double share;

	if (now_ns < budget->slice_begun_ns + slice_ns)
		return;
	share = budget->slice_spent_ns / (double)(now_ns - budget->slice_begun_ns);
	if (share > budget->worst_share)
		budget->worst_share = share;
	budget->slice_begun_ns = now_ns;
	budget->slice_spent_ns = 0;
}

void budget_spend(struct budget *budget, uint64_t now_ns, double spent_ns)
{
	fill(budget, now_ns);
	budget->left_ns -= spent_ns;
	budget->spent_ns += spent_ns;
	budget->slice_spent_ns += spent_ns;
	end_slice(budget, now_ns);
}

void budget_surprise(struct budget *budget, double more_ns, double least_ns)
{
	budget->surprise_ns *= fades;
	if (budget->surprise_ns < least_ns)
		budget->surprise_ns = least_ns;
	if (budget->surprise_ns < more_ns)
		budget->surprise_ns = more_ns;
}

/* The first of a slice always may: else a surprise that fills a slice would be the end of all. */
static bool slice_allows(const struct budget *budget, double spent_ns)
{
	return spent_ns <= 0 || budget->slice_spent_ns <= 0 ||
	       budget->slice_spent_ns + spent_ns + budget->surprise_ns <=
		       budget->share * (double)slice_ns;
}

bool budget_allows(const struct budget *budget, double spent_ns)
{
	return budget->share <= 0 ||
	       (budget->left_ns >= spent_ns && slice_allows(budget, spent_ns));
}

uint64_t budget_wait_ns(const struct budget *budget, double spent_ns)
{
	uint64_t wait_ns = 0, slice_end_ns = budget->slice_begun_ns + slice_ns;

	if (budget->share <= 0)
		return 0;
	if (budget->left_ns < spent_ns)
		wait_ns = (uint64_t)((spent_ns - budget->left_ns) / (accrues * budget->share)) + 1;
	if (!slice_allows(budget, spent_ns) && budget->filled_ns + wait_ns < slice_end_ns)
		wait_ns = slice_end_ns - budget->filled_ns;
	return wait_ns;
}

double budget_used(const struct budget *budget, uint64_t now_ns)
{
	return now_ns > budget->begun_ns ? budget->spent_ns / (double)(now_ns - budget->begun_ns)
					 : 0;
}

double budget_worst(const struct budget *budget, uint64_t now_ns)
{
	return budget->slice_begun_ns == budget->begun_ns ? budget_used(budget, now_ns)
							  : budget->worst_share;
}
