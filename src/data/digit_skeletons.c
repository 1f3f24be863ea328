// SPDX-License-Identifier: Apache-2.0
// How digits are written: the skeletons that digits.c bends, stretches and inks.
#include <assert.h>

#include "data/digits.h"

#define S(x, y)                                                                                                        \
  { (x), (y), SSTI_PEN_START }
#define T(x, y)                                                                                                        \
  { (x), (y), SSTI_PEN_THROUGH }
#define C(x, y)                                                                                                        \
  { (x), (y), SSTI_PEN_CORNER }

static const ssti_skeleton ZERO[] = {
    {9,
     {S(.5f, .02f), T(.24f, .16f), T(.14f, .5f), T(.24f, .84f), T(.5f, .98f), T(.76f, .84f), T(.86f, .5f),
      T(.76f, .16f), T(.5f, .02f)}},
    {9,
     {S(.62f, .06f), T(.36f, .1f), T(.2f, .45f), T(.28f, .85f), T(.5f, .97f), T(.74f, .8f), T(.8f, .45f), T(.66f, .12f),
      T(.45f, .05f)}},
    {9,
     {S(.66f, .12f), T(.44f, .02f), T(.24f, .2f), T(.2f, .6f), T(.36f, .96f), T(.6f, .94f), T(.76f, .66f), T(.76f, .3f),
      T(.6f, .06f)}},
};

static const ssti_skeleton ONE[] = {
    {2, {S(.5f, .0f), T(.5f, 1.f)}},
    {3, {S(.32f, .24f), C(.54f, .02f), T(.54f, 1.f)}},
    {5, {S(.34f, .22f), C(.52f, .02f), T(.52f, .98f), S(.32f, .98f), T(.72f, .98f)}},
    {3, {S(.58f, .0f), T(.52f, .5f), T(.44f, 1.f)}},
};

static const ssti_skeleton TWO[] = {
    {8,
     {S(.16f, .24f), T(.3f, .06f), T(.55f, .0f), T(.8f, .14f), T(.78f, .38f), T(.5f, .7f), C(.14f, .97f),
      T(.88f, .97f)}},
    {10,
     {S(.18f, .2f), T(.42f, .02f), T(.72f, .1f), T(.76f, .34f), T(.54f, .66f), T(.3f, .92f), T(.16f, .9f), T(.2f, .76f),
      T(.42f, .8f), T(.9f, .94f)}},
    {7, {S(.2f, .12f), T(.5f, .02f), T(.78f, .2f), T(.6f, .56f), C(.15f, .95f), T(.5f, .9f), T(.86f, .97f)}},
};

static const ssti_skeleton THREE[] = {
    {10,
     {S(.16f, .12f), T(.45f, .0f), T(.75f, .12f), T(.72f, .34f), C(.42f, .46f), T(.76f, .56f), T(.84f, .76f),
      T(.6f, .97f), T(.3f, .98f), T(.12f, .84f)}},
    {8,
     {S(.16f, .04f), C(.8f, .04f), C(.42f, .42f), T(.74f, .5f), T(.84f, .72f), T(.62f, .95f), T(.32f, .98f),
      T(.12f, .85f)}},
    {9,
     {S(.2f, .1f), T(.52f, .0f), T(.76f, .2f), T(.5f, .45f), T(.56f, .47f), T(.82f, .68f), T(.7f, .92f), T(.4f, .99f),
      T(.14f, .9f)}},
};

static const ssti_skeleton FOUR[] = {
    {6, {S(.34f, .02f), T(.26f, .3f), C(.14f, .6f), T(.88f, .58f), S(.68f, .12f), T(.62f, 1.f)}},
    {4, {S(.66f, 1.f), C(.66f, .02f), C(.1f, .68f), T(.92f, .68f)}},
    {8,
     {S(.2f, .05f), T(.17f, .35f), T(.3f, .53f), T(.54f, .54f), T(.76f, .45f), S(.8f, .04f), T(.73f, .5f),
      T(.68f, 1.f)}},
};

static const ssti_skeleton FIVE[] = {
    {9,
     {S(.8f, .03f), C(.25f, .03f), C(.2f, .44f), T(.5f, .38f), T(.8f, .52f), T(.82f, .78f), T(.58f, .97f), T(.3f, .97f),
      T(.12f, .86f)}},
    {9,
     {S(.8f, .06f), T(.5f, .03f), T(.28f, .12f), T(.26f, .34f), T(.56f, .44f), T(.8f, .64f), T(.7f, .9f), T(.42f, .98f),
      T(.14f, .88f)}},
    {10,
     {S(.28f, .06f), C(.24f, .42f), T(.55f, .4f), T(.8f, .62f), T(.7f, .88f), T(.4f, .98f), T(.15f, .9f), S(.28f, .06f),
      T(.55f, .05f), T(.84f, .03f)}},
};

static const ssti_skeleton SIX[] = {
    {10,
     {S(.7f, .02f), T(.42f, .16f), T(.22f, .45f), T(.17f, .76f), T(.36f, .97f), T(.65f, .95f), T(.8f, .75f),
      T(.66f, .55f), T(.4f, .55f), T(.2f, .72f)}},
    {9,
     {S(.56f, .0f), T(.32f, .34f), T(.18f, .7f), T(.35f, .96f), T(.65f, .95f), T(.77f, .73f), T(.6f, .55f),
      T(.36f, .6f), T(.2f, .78f)}},
    {10,
     {S(.78f, .14f), T(.55f, .02f), T(.3f, .15f), T(.16f, .5f), T(.22f, .84f), T(.5f, .98f), T(.78f, .83f),
      T(.74f, .58f), T(.48f, .48f), T(.2f, .63f)}},
};

static const ssti_skeleton SEVEN[] = {
    {4, {S(.12f, .05f), C(.86f, .05f), T(.58f, .48f), T(.4f, 1.f)}},
    {6, {S(.12f, .05f), C(.86f, .05f), T(.6f, .48f), T(.44f, 1.f), S(.34f, .52f), T(.8f, .48f)}},
    {5, {S(.14f, .22f), C(.16f, .06f), C(.86f, .04f), T(.6f, .5f), T(.52f, 1.f)}},
    {4, {S(.14f, .1f), T(.5f, .05f), C(.84f, .06f), T(.36f, 1.f)}},
};

static const ssti_skeleton EIGHT[] = {
    {13,
     {S(.72f, .12f), T(.48f, .02f), T(.25f, .13f), T(.28f, .34f), T(.5f, .47f), T(.76f, .63f), T(.79f, .84f),
      T(.5f, .98f), T(.21f, .84f), T(.25f, .63f), T(.5f, .46f), T(.73f, .32f), T(.72f, .1f)}},
    {14,
     {S(.5f, .02f), T(.26f, .12f), T(.26f, .35f), T(.5f, .46f), T(.74f, .35f), T(.74f, .12f), T(.5f, .02f),
      S(.5f, .46f), T(.2f, .6f), T(.2f, .86f), T(.5f, .98f), T(.8f, .86f), T(.8f, .6f), T(.5f, .46f)}},
    {12,
     {S(.5f, .46f), T(.26f, .3f), T(.34f, .06f), T(.64f, .05f), T(.74f, .26f), T(.52f, .46f), T(.26f, .66f),
      T(.24f, .88f), T(.5f, .98f), T(.76f, .88f), T(.74f, .66f), T(.5f, .46f)}},
};

static const ssti_skeleton NINE[] = {
    {9,
     {S(.78f, .22f), T(.6f, .03f), T(.35f, .05f), T(.2f, .26f), T(.34f, .48f), T(.62f, .44f), C(.78f, .22f),
      T(.74f, .6f), T(.66f, 1.f)}},
    {11,
     {S(.78f, .22f), T(.56f, .02f), T(.28f, .1f), T(.22f, .34f), T(.42f, .5f), T(.68f, .42f), C(.78f, .2f),
      T(.82f, .55f), T(.7f, .88f), T(.45f, .99f), T(.2f, .92f)}},
    {9,
     {S(.76f, .12f), T(.5f, .02f), T(.25f, .12f), T(.24f, .38f), T(.5f, .5f), T(.76f, .36f), C(.77f, .04f),
      T(.76f, .5f), T(.76f, 1.f)}},
};

#define SKELETONS(name)                                                                                                \
  { name, (int)(sizeof(name) / sizeof((name)[0])) }

static const struct {
  const ssti_skeleton *skeletons;
  int count;
} DIGITS[SSTI_DIGIT_CLASSES] = {
    SKELETONS(ZERO), SKELETONS(ONE), SKELETONS(TWO),   SKELETONS(THREE), SKELETONS(FOUR),
    SKELETONS(FIVE), SKELETONS(SIX), SKELETONS(SEVEN), SKELETONS(EIGHT), SKELETONS(NINE),
};

const ssti_skeleton *ssti_digit_skeletons(int digit, int *count) {
  assert(digit >= 0 && digit < SSTI_DIGIT_CLASSES);
  *count = DIGITS[digit].count;
  return DIGITS[digit].skeletons;
}
