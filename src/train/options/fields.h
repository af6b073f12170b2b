/* Fields of structures as JSON and back, by tables. */
#ifndef SMOL_TRAIN_FIELDS_H
#define SMOL_TRAIN_FIELDS_H

#include <jansson.h>
#include <smol/train.h>

enum smol_form {
    SMOL_FORM_COUNT, /* uint32_t */
    SMOL_FORM_SEED,  /* uint64_t */
    SMOL_FORM_NUMBER,
    SMOL_FORM_FLAG,
    SMOL_FORM_MATRICES, /* enum smol_source */
    SMOL_FORM_NORMS,    /* the same */
    SMOL_FORM_DIST,
    SMOL_FORM_EMBEDDING_TYPE, /* enum smol_dtype */
    SMOL_FORM_MATRIX_TYPE,    /* the same */
    SMOL_FORM_PARAM_TYPE,     /* the same */
    SMOL_FORM_ORDER,
    SMOL_FORM_ARCHITECTURE,
    SMOL_FORM_FEATURES, /* uint16_t, a list of names */
    SMOL_FORM_MIX,
};

struct smol_field {
    const char *name;
    enum smol_form form;
    size_t offset, size_bytes;
    bool is_optional; /* in options: left out where it is what older files mean */
};

/* A field of the structure at base; NULL if there is no memory. */
json_t *smol_field_encode(const void *base, const struct smol_field *field);
/* False if value, which may be NULL, has another form. */
bool smol_field_decode(void *base, const struct smol_field *field, const json_t *value);
/* What a value must be, in words. */
const char *smol_field_wants(const struct smol_field *field);

#endif
