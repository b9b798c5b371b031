//! Sentences of the catalogue of base images.

use super::sentences;

sentences! {
    nav_bases: "Base images" / "기반 이미지";
    bases_below: "What services are built on: a Dockerfile or a recipe names one as base/NAME." / "서비스를 빌드하는 바탕이에요. Dockerfile이나 레시피에 base/이름으로 적어요.";
    bases_empty: "There is no base image yet. An administrator makes one from a Dockerfile or a root file system." / "아직 기반 이미지가 없어요. 관리자가 Dockerfile이나 루트 파일 시스템으로 만들어요.";
    base_title(name): "Base image {name}" / "기반 이미지 {name}";
    base_new: "New base image" / "새 기반 이미지";
    base_new_do: "Build it" / "빌드하기";
    base_name_hint: "Dockerfiles write base/ before it." / "Dockerfile에는 앞에 base/를 붙여 적어요.";
    base_description: "What it is for" / "쓰임새";
    base_dockerfile: "Dockerfile" / "도커파일";
    base_dockerfile_hint: "No files go with it: it starts from images that are there, or copies from them." / "함께 가는 파일은 없어요. 있는 이미지에서 시작하거나 복사해요.";
    base_from_files: "From a root file system" / "루트 파일 시스템으로";
    base_from_files_below: "A tar archive of a folder, as debootstrap makes one, without devices:" / "debootstrap 등으로 만든 폴더를 장치 없이 tar로 묶어요:";
    base_of_dockerfile: "Made from a Dockerfile." / "Dockerfile로 만들어요.";
    base_of_files: "Made from root file systems." / "루트 파일 시스템으로 만들어요.";
    base_version: "Version" / "버전";
    base_versions: "Versions" / "버전 목록";
    base_age: "Asked for" / "요청";
    base_users: "Services" / "서비스";
    base_used_by: "Services that stand on it" / "이 이미지를 쓰는 서비스";
    base_not_all(shown, all): "{shown} of {all}." / "{all}개 중 {shown}개예요.";
    base_unused: "No service's newest candidate stands on it. `FROM base/NAME` in a Dockerfile, or `base` of a recipe, uses it." / "최근 후보가 이 이미지를 쓰는 서비스가 없어요. Dockerfile의 `FROM base/이름`이나 레시피의 `base`로 써요.";
    base_written: "As" / "적힌 이름";
    base_pinned: "fixed" / "고정";
    base_pinned_says: "It names a version: a new one changes nothing for it." / "버전이 적혀 있어 새 버전이 나와도 그대로예요.";
    base_queued: "Waits" / "대기 중";
    base_building: "Building" / "빌드 중";
    base_ready: "Ready" / "준비됨";
    base_failed: "Failed" / "실패";
    base_cancelled: "Cancelled" / "취소됨";
    base_cancel_says: "The build is stopped, and nothing of it stays. base/NAME remains the version before." / "빌드를 멈추고 아무것도 남기지 않아요. base/이름은 이전 버전 그대로예요.";
    base_cancel_does: "Cancel the build" / "빌드 취소";
    base_gone: "Removed" / "제거됨";
    base_log(number): "How version {number} was built" / "버전 {number} 빌드 기록";
    base_rebuild: "New version" / "새 버전";
    base_rebuild_below: "It is built anew, without what is left of earlier builds; base/NAME is the new one then." / "이전 빌드에서 남은 것 없이 새로 빌드해요. 그 뒤 base/이름은 새 버전이에요.";
    base_rebuild_files: "Each version brings its own root file system:" / "버전마다 루트 파일 시스템을 새로 보내요:";
    base_rebuild_do: "Build a new version" / "새 버전 빌드";
    base_roll: "and roll it out" / "서비스에도 반영";
    base_roll_says: "Once it is there, the default branch of each service that uses it runs, as after a push." / "준비되면 이 이미지를 쓰는 각 서비스의 기본 브랜치를 푸시 때처럼 실행해요.";
    base_rolled(number): "What version {number} set off" / "버전 {number}으로 시작한 실행";
    base_roll_waits: "is queued in a moment" / "곧 대기열에 들어가요";
}
