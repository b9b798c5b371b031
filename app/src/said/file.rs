//! What is said about a `berth.yaml`: what is wrong in it and where, what it asks for, and why it is not run.

use std::fmt::Display;

said! {
    // Where it stands.
    at(row, column, problem): "berth.yaml:{row}:{column}: {problem}" / "berth.yaml {row}줄 {column}칸: {problem}";
    and_more(problem, more): "{problem} (and {more} more; `berth lint` shows them all)" / "{problem} (그 밖에 {more}개 더 있어요. `berth lint`로 모두 볼 수 있어요)";

    // What is no YAML, or more of it than is read.
    not_yaml(line): "This is not YAML: {line}." / "YAML 형식이 아니에요: {line}.";
    does_not_read(line): "The file does not read: {line}." / "파일을 읽을 수 없어요: {line}.";
    too_large(kib): "The file is larger than {kib} KiB." / "파일이 {kib} KiB보다 커요.";
    second_document: "A second document begins here. Keep one, without `---` between." / "여기서 두 번째 문서가 시작돼요. `---` 없이 문서 하나만 두세요.";
    empty_file: "The file is empty. Start with `version: 1` and `services:`, or delete it to build the Dockerfile alone." / "파일이 비어 있어요. `version: 1`과 `services:`로 시작하거나, Dockerfile만 빌드하려면 파일을 지우세요.";
    ends_within: "The file ends in the middle of this." / "여기가 끝나기 전에 파일이 끝났어요.";
    many_values(most): "The file has more than {most} values, its aliases followed. Make it smaller." / "별칭까지 따라가면 파일에 값이 {most}개보다 많아요. 줄이세요.";
    too_deep: "The file nests too deep here." / "여기가 너무 깊이 들어가 있어요.";
    alias_within: "This alias stands inside the very value it names. Take it out." / "별칭이 가리키는 값 안에 그 별칭이 있어요. 빼세요.";
    tag_misfit: "This tag does not fit its value. Leave the tag out." / "YAML 태그가 값과 맞지 않아요. 태그를 빼세요.";
    value_missing: "A value is missing here." / "여기에 값이 없어요.";
    key_twice(name, row): "`{name}` stands here a second time; the first is in line {row}." / "`{name}`: 두 번째로 나왔어요. 첫 번째는 {row}번째 줄에 있어요.";
    merge_takes: "`<<` takes a map, or a list of maps." / "`<<`에는 맵이나 맵의 목록을 적으세요.";
    key_is_text: "A key is a text." / "키는 글자여야 해요.";
    no_number: "This is no number that can be counted with." / "셀 수 있는 숫자가 아니에요.";

    // What the schema has against it.
    own_schema: "Berth cannot read its own schema; this is a fault of Berth." / "Berth가 자기 스키마를 읽지 못해요. Berth의 잘못이에요.";
    the_file: "The file" / "파일";
    item_of(name): "An item of `{name}`" / "`{name}`의 항목";
    key_near(name, place, name_near): "`{name}` is not known in {place}. Did you mean `{name_near}`?" / "`{name}`: {place}에 없는 키예요. `{name_near}` 말인가요?";
    key_unknown(name, place, known): "`{name}` is not known in {place}. Known are {known}." / "`{name}`: {place}에 없는 키예요. 쓸 수 있는 키: {known}.";
    key_missing(name, place): "`{name}` is missing in {place}." / "{place}에 `{name}` 키가 없어요.";
    is_constant(label, value): "{label} is {value}; this Berth reads no other." / "{label}: {value}만 쓸 수 있어요.";
    out_of_range(label, low, high, value): "{label} is {low} to {high}, and this is {value}." / "{label}: {low}에서 {high}까지 쓸 수 있는데 {value}(으)로 적혀 있어요.";
    names_none(label): "{label} is empty. Name at least one." / "{label}: 비어 있어요. 하나 이상 적으세요.";
    is_empty(label): "{label} is empty. Write something, or leave it out." / "{label}: 비어 있어요. 내용을 적거나 빼세요.";
    misfit(label, line): "{label} does not fit the schema ({line})." / "{label}: 스키마에 맞지 않아요({line}).";
    no_value(label, kind): "{label} has no value. It takes {kind}." / "{label}: 값이 없어요. 들어갈 값: {kind}.";
    needs_quotes(label, value): "{label} takes a text. Put {value} in quotes." / "{label}: 글자여야 해요. {value}에 따옴표를 붙이세요.";
    takes_list(label, name): "{label} takes a list. Write `{name}`." / "{label}: 목록이어야 해요. `{name}`처럼 적으세요.";
    other_kind(label, kind, found): "{label} takes {kind}, and this is {found}." / "{label}: 들어갈 값은 {kind}인데 다른 값({found})이 있어요.";
    option_kind(label, known, found): "{label} takes one of {known}, and this is {found}." / "{label}: {known} 중 하나여야 하는데 다른 값({found})이 있어요.";
    option_near(label, name, name_near): "{label} takes no `{name}`. Did you mean `{name_near}`?" / "{label}: `{name}`(을)를 쓸 수 없어요. `{name_near}` 말인가요?";
    option_unknown(label, name, known): "{label} takes no `{name}`. It takes {known}." / "{label}: `{name}`(을)를 쓸 수 없어요. 쓸 수 있는 값: {known}.";
    all_of(names, name_last): "`{names}` and `{name_last}`" / "`{names}`, 그리고 `{name_last}`";
    any_of(names, name_last): "`{names}` or `{name_last}`" / "`{names}` 또는 `{name_last}`";
    kind_text: "a text" / "글자";
    kind_whole: "a whole number" / "정수";
    kind_number: "a number" / "숫자";
    kind_bool: "`true` or `false`" / "`true`나 `false`";
    kind_list: "a list" / "목록";
    kind_map: "a map" / "맵";
    kind_other: "something else" / "다른 것";
    in_file: "the file" / "파일";
    in_map: "this map" / "이 맵";
    in_service: "a service" / "서비스";
    in_schedule: "a schedule" / "예약";
    in_input: "an input" / "입력";
    in_stage: "a stage" / "단계";
    in_sidecar: "a sidecar" / "사이드카";
    in_step: "a step" / "스텝";
    in_step_after: "a step after a failure" / "실패 뒤의 스텝";
    in_process: "a process" / "프로세스";
    in_job: "a job" / "작업";

    // What has not the right form. Without the value before it, each stands in the schema too.
    no_name(name): "`{name}` is no good name. A name starts with a letter and has up to 30 small letters, digits and single hyphens." / "`{name}`: 쓸 수 없는 이름이에요. 영문 소문자로 시작하고 소문자, 숫자, 하이픈 하나씩으로 30자까지 쓸 수 있어요.";
    no_text_name(name): "`{name}` is no good name. Use up to 60 letters, digits, spaces, dots, hyphens and underscores." / "`{name}`: 쓸 수 없는 이름이에요. 영문자, 숫자, 빈칸, 점, 하이픈, 밑줄로 60자까지 쓸 수 있어요.";
    no_variable(name): "`{name}` is no name of a variable. Use letters, digits and underscores, and no digit first." / "`{name}`: 변수 이름으로 쓸 수 없어요. 영문자, 숫자, 밑줄만 쓰고 숫자로 시작하지 마세요.";
    no_zone(name): "`{name}` is no time zone. Write for example `Asia/Seoul`." / "`{name}`: 시간대가 아니에요. 예: `Asia/Seoul`";
    no_image(name): "`{name}` is no name of an image. Write for example `rust:1.95`." / "`{name}`: 이미지 이름이 아니에요. 예: `rust:1.95`";
    no_request_path(name): "`{name}` is no path of a request. It starts with `/`, for example `/health`." / "`{name}`: 요청 경로가 아니에요. `/`로 시작해야 해요. 예: `/health`";
    no_duration(name): "`{name}` is no duration. Write a whole number and `ms`, `s`, `m` or `h`, for example `10m`." / "`{name}`: 기간이 아니에요. 정수에 `ms`, `s`, `m`, `h` 중 하나를 붙이세요. 예: `10m`";
    odd_form(name): "`{name}` does not have the right form." / "`{name}`: 형식이 맞지 않아요.";

    // What a schema cannot say.
    needs_path(name): "`{name}` is one of several services, so it needs a `path`: the folder it lives in." / "`{name}`: 여러 서비스 중 하나라 `path`가 필요해요. 서비스가 있는 폴더를 적으세요.";
    folder_taken(name): "`{name}` is the folder of another service too. Each service has its own." / "`{name}`: 다른 서비스의 폴더이기도 해요. 서비스마다 폴더를 따로 두세요.";
    needs_command(name): "`{name}` needs a `command`: only `web` runs the image's own." / "`{name}`: `command`가 필요해요. 이미지의 명령은 `web`만 실행해요.";
    empty_tag: "A tag has a name. Write one, or a glob such as `v*`." / "태그 이름이 비어 있어요. 이름이나 `v*` 같은 글로브를 적으세요.";
    tag_alone(name): "Tags are known by their names alone here. Write `{name}`." / "태그는 이름만 적어요. `{name}`(으)로 적으세요.";
    no_glob(name, line): "`{name}` is no glob: {line}." / "`{name}`: 글로브가 아니에요: {line}.";
    most_schedules(most): "A service has at most {most} schedules. Take out the others." / "서비스의 예약은 {most}개까지예요. 나머지는 빼세요.";
    most_inputs(most): "A run takes at most {most} inputs. Take out the others." / "실행의 입력은 {most}개까지예요. 나머지는 빼세요.";
    once(name): "`{name}` stands here already. Once is enough." / "`{name}`: 이미 있어요. 한 번만 적으세요.";
    never_used(name): "`{name}` is `required`, so its `default` is never used. Keep one of them." / "`{name}`: `required`라서 `default`가 쓰이지 않아요. 둘 중 하나만 두세요.";
    no_option(name_value, name): "`{name_value}` is none of the `options` of `{name}`. Take one of them." / "`{name_value}`: `{name}`의 `options`에 없어요. 그중 하나를 적으세요.";
    value_long(name, most): "`{name}` is too long: a value has at most {most} bytes." / "`{name}`: 너무 길어요. 값은 {most}바이트까지예요.";
    value_zero(name): "`{name}` holds a zero byte, which no environment variable may." / "`{name}`: 환경 변수에 쓸 수 없는 0바이트가 있어요.";
    stage_image: "`image` is the stage in which Berth builds the image. Give this one another name." / "`image`는 Berth가 이미지를 빌드하는 단계예요. 다른 이름을 쓰세요.";
    stage_twice(name): "There is a stage named `{name}` already. Give this one another name." / "`{name}` 단계가 이미 있어요. 다른 이름을 쓰세요.";
    step_twice(name): "There is a step named `{name}` already. Give this one another name." / "`{name}` 스텝이 이미 있어요. 다른 이름을 쓰세요.";
    empty_command: "This command is empty. Write one, or leave it out." / "명령이 비어 있어요. 적거나 빼세요.";
    codes_alone: "`exit_codes` says which codes `failed` is for, and that is missing. Add for example `failed: 1`." / "`exit_codes`는 `failed`가 어떤 코드에 쓰이는지 정하는데 `failed`가 없어요. 예를 들어 `failed: 1`을 더하세요.";
    after_at_most(span): "`timeout` of a step after a failure is at most `{span}`." / "실패 뒤의 스텝에서 `timeout`은 `{span}`까지예요.";
    empty_branch: "A branch has a name. Write one, or a glob such as `release/*`." / "브랜치 이름이 비어 있어요. 이름이나 `release/*` 같은 글로브를 적으세요.";
    no_values: "A variable of `matrix` needs at least one value." / "`matrix`의 변수에는 값이 하나 이상 있어야 해요.";
    value_twice(name): "`{name}` stands here already. Each value makes a step of its own." / "`{name}`: 이미 있어요. 값마다 스텝이 하나씩 생겨요.";
    value_form: "A value of `matrix` is part of a step's name: one line of 1 to 40 characters." / "`matrix`의 값은 스텝 이름에 들어가요. 한 줄에 1자에서 40자까지 쓸 수 있어요.";
    many_steps(count, most): "This makes {count} steps of one; at most {most} are. Take out values." / "스텝 하나가 {count}개로 늘어나요. {most}개까지만 되니 값을 빼세요.";
    set_by_berth(name): "`{name}` is set by Berth. Choose a name that does not start with `BERTH_`." / "`{name}`: Berth가 정하는 변수예요. `BERTH_`로 시작하지 않는 이름을 쓰세요.";
    at_least(name, span): "`{name}` is at least `{span}`." / "`{name}`: `{span}`보다 짧을 수 없어요.";
    at_most(name, span): "`{name}` is at most `{span}`." / "`{name}`: `{span}`보다 길 수 없어요.";
    base_alone: "`base` goes with a `recipe`: a Dockerfile names its own." / "`base`는 `recipe`와 함께 써요. Dockerfile은 베이스를 스스로 정해요.";
    artifact_form: "The name of an `artifact` has letters, digits and `.`, `_`, `+`, `~`, `-` alone, and begins with no dot." / "`artifact` 이름에는 영문자, 숫자, `.`, `_`, `+`, `~`, `-`만 쓰고 점으로 시작하지 마세요.";
    recipe_alone: "`recipe` needs an `artifact`: the path of what is baked." / "`recipe`에는 `artifact`가 필요해요. 이미지에 넣을 파일의 경로를 적으세요.";
    artifact_alone: "`artifact` goes with a `recipe`: `jar`, `wheel`, `gem`, `binary`, `deb` or `static`." / "`artifact`는 `recipe`와 함께 써요: `jar`, `wheel`, `gem`, `binary`, `deb`, `static`.";
    of_dockerfile(name): "`{name}` goes with a Dockerfile, and here is a `recipe`. Keep one of them." / "`{name}`: Dockerfile에 쓰는 키인데 `recipe`가 있어요. 둘 중 하나만 두세요.";
    health_twice(name): "Health is told by one of `path`, `tcp` and `command`, and `{name}` is there already." / "상태 확인에는 `path`, `tcp`, `command` 중 하나만 쓸 수 있는데 `{name}` 키가 이미 있어요.";
    needs_port(name_key, name, row): "`{name_key}` needs a port to ask, and `{name}` (line {row}) has none. Add `port`." / "`{name_key}`: 확인할 포트가 필요한데 `{name}`({row}번째 줄)에 없어요. `port`를 더하세요.";
    no_folder(name): "`{name}` is not the absolute path of a folder. Write for example `/var/cache/app`." / "`{name}`: 폴더의 절대 경로가 아니에요. 예: `/var/cache/app`";
    no_cache(name): "`{name}` cannot be kept between runs. Name a folder of the image, or one below `/workspace`." / "`{name}`: 실행 사이에 보관할 수 없어요. 이미지의 폴더나 `/workspace` 아래의 폴더를 적으세요.";
    most_caches(most): "A step has at most {most} caches. Take one out." / "스텝에는 캐시를 {most}개까지 쓸 수 있어요. 하나를 빼세요.";
    leaves(name): "`{name}` leaves the repository. Write a path relative to its root, without `..`." / "`{name}`: 저장소를 벗어나요. 저장소의 맨 위에서 시작하는 상대 경로를 `..` 없이 적으세요.";
    five_fields(count): "A schedule has five fields (minute, hour, day, month, day of the week), and this has {count}." / "예약은 다섯 칸(분, 시, 일, 월, 요일)인데 {count}칸이 적혀 있어요.";
    no_field(name, unit, low, high): "`{name}` is no {unit} of a schedule: numbers from {low} to {high}, `*`, `a-b`, `*/n` and lists of them." / "`{name}`: 예약의 {unit} 칸에 쓸 수 없어요. {low}에서 {high}까지의 숫자, `*`, `a-b`, `*/n`이나 이것들의 목록을 적으세요.";
    unit_minute: "minute" / "분";
    unit_hour: "hour" / "시";
    unit_day: "day of the month" / "일";
    unit_month: "month" / "월";
    unit_weekday: "day of the week" / "요일";
    no_schedule(name): "`{name}` is no schedule: a range begins with the smaller number, and `*/n` stays within the field." / "`{name}`: 예약이 아니에요. 범위는 작은 숫자로 시작하고 `*/n`은 칸의 범위를 넘을 수 없어요.";
    never_comes(name): "`{name}` never comes: there is no such day." / "`{name}`: 그런 날이 없어서 오지 않아요.";

    // Why it is not run.
    describes_other(name, name_service): "berth.yaml describes `{name}`, and `{name_service}` is built from this repository. Rename it under `services:` to `{name_service}`." / "berth.yaml에는 `{name}` 서비스가 있는데 이 저장소에서는 `{name_service}` 서비스를 빌드해요. `services:` 아래의 이름을 `{name_service}`(으)로 바꾸세요.";
    recipe_no_stage: "A `recipe` bakes what a stage leaves in the workspace, and there is no stage. Add one that makes the artifact." / "`recipe`는 단계가 작업 공간에 남긴 파일로 이미지를 만드는데 단계가 없어요. 파일을 만드는 단계를 더하세요.";
    nothing_to_build: "This commit has neither a Dockerfile nor a berth.yaml, so there is nothing to build. Add a Dockerfile at the root of the repository." / "이 커밋에는 Dockerfile도 berth.yaml도 없어서 빌드할 것이 없어요. 저장소의 맨 위에 Dockerfile을 더하세요.";
    no_dockerfile(path): "There is no `{path}` at this commit, so no image can be built. Add it, or name another under `image:`." / "이 커밋에 `{path}` 파일이 없어서 이미지를 빌드할 수 없어요. 파일을 더하거나 `image:` 아래에 다른 파일을 적으세요.";
    no_jobs_yet: "This version of Berth does not run `jobs` yet. Take them out until it does." / "이 버전의 Berth는 아직 `jobs`를 실행하지 않아요. 그때까지 빼 두세요.";
    no_file: "There is no berth.yaml: the image is built and nothing is tested." / "berth.yaml이 없어서 테스트 없이 이미지만 빌드해요.";

    // What it asks for. A service's name and a colon stand before each line; the console shows them apart.
    together(names): "together: {names} at one version" / "함께 빌드: {names} 모두 한 버전";
    one_version(names): "{names} at one version" / "{names} 모두 한 버전";
    stage_runs(name_stage, each_step): "stage {name_stage} runs {each_step}" / "{name_stage} 단계에서 실행: {each_step}";
    step_where(name_step, each_said): "{name_step} ({each_said})" / "{name_step}(조건: {each_said})";
    step_beside(name_step, names): "{name_step} beside {names}" / "{name_step}, 사이드카 {names}";
    no_longer(span): "at most {span}" / "최대 {span}";
    skipped(name, each_said): "{name} (skipped: {each_said})" / "{name}(건너뜀: {each_said})";
    after_stage(name_stage, names): "where stage {name_stage} failed, once: {names}" / "{name_stage} 단계가 실패하면 한 번: {names}";
    after_any(names): "where a stage failed, once: {names}" / "단계가 실패하면 한 번: {names}";
    untested: "nothing is tested" / "테스트하지 않아요";
    on_tags(names): "runs on tags {names}" / "실행하는 태그: {names}";
    on_schedule(name_cron, name_zone): "runs at {name_cron} ({name_zone})" / "실행하는 때: {name_cron}({name_zone})";
    takes(name): "takes {name}" / "입력: {name}";
    takes_required(name): "takes {name} (required)" / "입력: {name}(필수)";
    takes_default(name, name_value): "takes {name} ({name_value} where not given)" / "입력: {name}(없으면 {name_value})";
    takes_one(name, names): "takes {name} (one of {names})" / "입력: {name}({names} 중 하나)";
    takes_required_one(name, names): "takes {name} (required; one of {names})" / "입력: {name}(필수, {names} 중 하나)";
    takes_default_one(name, name_value, names): "takes {name} ({name_value} where not given; one of {names})" / "입력: {name}({names} 중 하나, 없으면 {name_value})";
    in_all(span): "all of it at most {span}" / "모두 합쳐 최대 {span}";
    in_group(limit, name): "at most {limit} at once in the group {name}" / "{name} 그룹에서 한 번에 {limit}개까지";
    built_by_buildkit: "its image is built by BuildKit" / "이미지는 BuildKit으로 빌드";
    release_runs(name_command): "before traffic moves, once: {name_command}" / "트래픽을 옮기기 전에 한 번: {name_command}";
    process_runs(name, command): "process {name} runs {command}" / "{name} 프로세스: {command}";
    process_on(name, command, port): "process {name} runs {command} on port {port}" / "{name} 프로세스: 포트 {port}에서 {command}";
    own_command: "the image's own command" / "이미지의 명령";
    job_asked(name, name_command, name_zone): "job {name} runs {name_command} when asked ({name_zone})" / "{name} 작업: 요청하면 {name_command}({name_zone})";
    job_runs(name, name_command, name_cron, name_zone): "job {name} runs {name_command} at {name_cron} ({name_zone})" / "{name} 작업: {name_cron}({name_zone})에 {name_command}";
}

/// Names in a row, all of them meant.
pub fn listed(names: &[&str]) -> String {
    in_a_row(names, all_of)
}

/// Names in a row, one of them meant.
pub fn choice(names: &[&str]) -> String {
    in_a_row(names, any_of)
}

fn in_a_row<'n>(names: &[&'n str], with_last: impl Fn(String, &'n str) -> String) -> String {
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => with_last(rest.join("`, `"), last),
        _ => names.iter().map(|name| format!("`{name}`")).collect(),
    }
}
