/* Small models to damage: together they have every method, every kind of norm, every number type
 * and every feature. */
#ifndef RECIPES_H
#define RECIPES_H

#include "../unit/make_model.h"

#define N_RECIPES 27u
extern const struct model_recipe fuzz_recipes[N_RECIPES];

#endif
