/*
 * Loads S2ILGPU into a C or C++ program on Linux and macOS, either way in; for one source file of the program. Link
 * with -ldl where dlopen is not in the C library.
 */
#ifndef S2ILGPU_LOAD_H
#define S2ILGPU_LOAD_H

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "s2ilgpu.h"

#ifdef __APPLE__
#define S2_LIBRARY_SUFFIX ".dylib"
#else
#define S2_LIBRARY_SUFFIX ".so"
#endif

/* The folder of the installed .NET runtime: DOTNET_ROOT, that of `dotnet` on the PATH, or where installers put it. */
static int s2_find_dotnet(char folder[PATH_MAX]) {
    static const char *const places[] = {"/usr/share/dotnet", "/usr/lib/dotnet", "/usr/local/share/dotnet"};
    char candidate[PATH_MAX + 16], *slash;
    const char *root = getenv("DOTNET_ROOT"), *path = getenv("PATH");
    size_t n;
    if (root && *root)
        return snprintf(folder, PATH_MAX, "%s", root) < PATH_MAX;
    while (path && *path) {
        n = strcspn(path, ":");
        if (n < PATH_MAX && snprintf(candidate, sizeof candidate, "%.*s/dotnet", (int)n, path) > 0
            && realpath(candidate, folder) && (slash = strrchr(folder, '/')) != NULL) {
            *slash = 0;
            if (snprintf(candidate, sizeof candidate, "%s/host/fxr", folder) > 0 && access(candidate, R_OK) == 0)
                return 1;
        }
        path += n + (path[n] == ':');
    }
    for (n = 0; n < sizeof places / sizeof *places; n++)
        if (snprintf(candidate, sizeof candidate, "%s/host/fxr", places[n]) > 0 && access(candidate, R_OK) == 0)
            return snprintf(folder, PATH_MAX, "%s", places[n]) < PATH_MAX;
    return 0;
}

/* libhostfxr of the newest version below host/fxr. */
static void *s2_open_hostfxr(void) {
    char folder[PATH_MAX], name[2 * PATH_MAX], newest[64] = "";
    int best[3] = {-1, -1, -1}, v[3], d;
    struct dirent *entry;
    DIR *versions;
    if (!s2_find_dotnet(folder) || snprintf(name, sizeof name, "%s/host/fxr", folder) < 0)
        return NULL;
    if ((versions = opendir(name)) == NULL)
        return NULL;
    while ((entry = readdir(versions)) != NULL) {
        if (sscanf(entry->d_name, "%d.%d.%d", &v[0], &v[1], &v[2]) != 3 || strlen(entry->d_name) >= sizeof newest)
            continue;
        for (d = 0; d < 2 && v[d] == best[d]; d++)
            ;
        if (v[d] > best[d]) {
            memcpy(best, v, sizeof best);
            strcpy(newest, entry->d_name);
        }
    }
    closedir(versions);
    snprintf(name, sizeof name, "%s/host/fxr/%s/libhostfxr" S2_LIBRARY_SUFFIX, folder, newest);
    return dlopen(name, RTLD_NOW);
}

/* s2_get_api of the assembly at a path, by an installed .NET runtime; NULL with a message on standard error. */
static s2_get_api_function s2_find_in_assembly(const char *path) {
    typedef int (*initialize)(const char *config, const void *parameters, void **context);
    typedef int (*get_delegate)(void *context, int type, void **delegate);
    typedef int (*load_function)(const char *assembly, const char *type, const char *method, const char *delegate_type,
                                 void *reserved, void **function);
    enum { load_assembly_and_get_function_pointer = 5 };
    const char *const unmanaged_callers_only = (const char *)-1;
    char config[PATH_MAX + 32];
    void *hostfxr = s2_open_hostfxr(), *context = NULL, *load = NULL, *function = NULL;
    int status;
    if (!hostfxr) {
        fprintf(stderr, "no .NET runtime: set DOTNET_ROOT, or install one from https://dot.net/download\n");
        return NULL;
    }
    snprintf(config, sizeof config, "%.*s.runtimeconfig.json", (int)(strlen(path) - strlen(".dll")), path);
    status = ((initialize)dlsym(hostfxr, "hostfxr_initialize_for_runtime_config"))(config, NULL, &context);
    if (status >= 0 && context)
        status = ((get_delegate)dlsym(hostfxr, "hostfxr_get_runtime_delegate"))(
            context, load_assembly_and_get_function_pointer, &load);
    if (status >= 0 && load)
        status = ((load_function)load)(path, "S2ILGPU.Native.Exports, S2ILGPU.Native", "GetApi",
                                       unmanaged_callers_only, NULL, &function);
    if (context)
        ((int (*)(void *))dlsym(hostfxr, "hostfxr_close"))(context);
    if (!function)
        fprintf(stderr, "%s: the .NET runtime refuses it with 0x%08x\n", path, (unsigned)status);
    return (s2_get_api_function)function;
}

/* Fills the table from a file: S2ILGPU.Native.dll by an installed .NET runtime, S2ILGPU.Native.so or .dylib by itself.
   Returns an s2_status; messages go to standard error. */
static int32_t s2_load(const char *path, s2_api *api) {
    size_t length = strlen(path);
    s2_get_api_function get_api = NULL;
    void *library;
    if (length > 4 && strcmp(path + length - 4, ".dll") == 0)
        get_api = s2_find_in_assembly(path);
    else if ((library = dlopen(path, RTLD_NOW)) != NULL)
        get_api = (s2_get_api_function)dlsym(library, "s2_get_api");
    else
        fprintf(stderr, "%s\n", dlerror());
    return get_api ? get_api(S2_API_VERSION, sizeof *api, api) : S2_ERROR_UNSUPPORTED;
}

#endif
