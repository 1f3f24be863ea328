// SPDX-License-Identifier: Apache-2.0
// From the tree back to YAML.
#include "base/yaml_tree.h"

// Whether the text, without quotes, reads back as the same scalar in block and in flow style. Careful rather than
// clever: quotes too many do no harm.
static bool plain_is_safe(const char *text) {
  if (strcmp(text, "~") == 0 || strcmp(text, "null") == 0) { return false; }
  if (strncmp(text, "---", 3) == 0 || strncmp(text, "...", 3) == 0) { return false; }
  const bool starts_well =
      (text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z') || (text[0] >= '0' && text[0] <= '9') ||
      text[0] == '/' || text[0] == '.' || text[0] == '_' ||
      ((text[0] == '-' || text[0] == '+') && ((text[1] >= '0' && text[1] <= '9') || text[1] == '.'));
  if (!starts_well) { return false; }
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=@";
  return strspn(text, allowed) == strlen(text);
}

void ssti_yaml_print_scalar(ssti_text *out, const char *text, bool quoted) {
  if (!quoted && plain_is_safe(text)) {
    ssti_text_append(out, "%s", text);
    return;
  }
  ssti_text_append(out, "\"");
  for (const char *p = text; *p != '\0'; p++) {
    const unsigned char c = (unsigned char)*p;
    if (c == '"' || c == '\\') {
      ssti_text_append(out, "\\%c", c);
    } else if (c == '\n') {
      ssti_text_append(out, "\\n");
    } else if (c < 0x20 || c == 0x7f) {
      ssti_text_append(out, "\\x%02x", c);
    } else if (c == 0xc2 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] < 0xa0) { // controls 0x80 to 0x9f
      ssti_text_append(out, "\\x%02x", (unsigned char)p[1]);
      p++;
    } else if (c == 0xe2 && (unsigned char)p[1] == 0x80 && ((unsigned char)p[2] & 0xfe) == 0xa8) { // line separators
      ssti_text_append(out, (unsigned char)p[2] == 0xa8 ? "\\L" : "\\P");
      p += 2;
    } else if (c == 0xef && (unsigned char)p[1] == 0xbb && (unsigned char)p[2] == 0xbf) { // byte order mark
      ssti_text_append(out, "\\uFEFF");
      p += 2;
    } else {
      ssti_text_append_bytes(out, p, 1);
    }
  }
  ssti_text_append(out, "\"");
}

static void print_value(ssti_text *out, const ssti_yaml_node *node, int indent, bool after_dash);

static void print_items(ssti_text *out, const ssti_yaml_node *node, int indent, bool after_dash) {
  for (const ssti_yaml_node *item = node->first; item != NULL; item = item->next) {
    if (item != node->first || !after_dash) { ssti_text_append(out, "%*s", indent, ""); }
    if (node->kind == SSTI_YAML_MAP) {
      ssti_yaml_print_scalar(out, item->key, false);
      ssti_text_append(out, ":");
    } else {
      ssti_text_append(out, "-");
    }
    print_value(out, item, indent + 2, node->kind == SSTI_YAML_LIST);
  }
}

// Depth is bounded by what the reader lets through and by the parts of an override, so that recursion is safe.
static void print_value(ssti_text *out, const ssti_yaml_node *node, int indent, bool after_dash) {
  if (node->kind == SSTI_YAML_SCALAR) {
    if (ssti_yaml_is_null(node)) {
      ssti_text_append(out, "\n");
      return;
    }
    ssti_text_append(out, " ");
    ssti_yaml_print_scalar(out, node->text, node->quoted);
    ssti_text_append(out, "\n");
  } else if (node->first == NULL) {
    ssti_text_append(out, node->kind == SSTI_YAML_MAP ? " {}\n" : " []\n");
  } else {
    ssti_text_append(out, after_dash ? " " : "\n");
    print_items(out, node, indent, after_dash);
  }
}

void ssti_yaml_print(const ssti_yaml_tree *tree, ssti_text *out) {
  const ssti_yaml_node *root = tree->root;
  if (root->kind == SSTI_YAML_SCALAR) {
    if (!ssti_yaml_is_null(root)) { ssti_yaml_print_scalar(out, root->text, root->quoted); }
    ssti_text_append(out, "\n");
  } else if (root->first == NULL) {
    ssti_text_append(out, root->kind == SSTI_YAML_MAP ? "{}\n" : "[]\n");
  } else {
    print_items(out, root, 0, false);
  }
}
